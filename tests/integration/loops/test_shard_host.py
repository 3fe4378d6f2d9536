"""A shard host decides for all its users, records before it moves on, and never doubles."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from app.db.models import DeploymentRow, LegRow
from app.domain.deployments import DeploymentState
from app.infra.engines.engines import restart_valkey
from app.infra.names import LOOP_CURSOR_KEY, NEEDS_KEY
from app.infra.streams import last_entry_id
from tests.integration.loops.stage import RUN, SESSION, Stage
from tests.nifty_day import DAY
from tests.waiting import eventually

pytestmark = pytest.mark.integration

FIRST, SECOND, THIRD = (timedelta(seconds=s) for s in (0, 15, 30))


def key_of(after: timedelta) -> str:
    return f"tick {(SESSION.open_at + after).isoformat()}"


def test_records_the_wishes_of_all_users_in_one_batch_and_then_moves_the_cursor(stage: Stage) -> None:
    ids = stage.deploy("each_event", count=3)
    stage.start()

    stage.await_cursor(stage.round(FIRST))

    assert [stage.keys(i) for i in ids] == [[key_of(FIRST)]] * 3
    assert [len(batch) for batch in stage.recorder.batches] == [3]


def test_decides_on_every_round_in_its_own_time(stage: Stage) -> None:
    (deployment,) = stage.deploy("each_event")
    stage.start()

    for after in (FIRST, SECOND, THIRD):
        stage.await_cursor(stage.round(after))

    assert stage.keys(deployment) == [key_of(FIRST), key_of(SECOND), key_of(THIRD)]


def test_a_successor_knows_what_was_wished_and_does_not_double_it(stage: Stage) -> None:
    (deployment,) = stage.deploy("once")
    stage.start()
    stage.await_cursor(stage.round(FIRST))

    stage.restart()
    stage.await_cursor(stage.round(SECOND))

    assert stage.keys(deployment) == ["once"]
    assert sum(len(batch) for batch in stage.recorder.batches) == 1


def test_a_successor_judges_the_bars_that_closed_while_nobody_was_there(stage: Stage) -> None:
    (deployment,) = stage.deploy("each_event")
    stage.start()
    stage.await_cursor(stage.round(FIRST))
    stage.bar(0)
    eventually(lambda: len(stage.keys(deployment)) == 2)
    stage.stop()

    stage.bar(1)
    stage.bar(2)
    stage.start()

    starts = [(SESSION.open_at + timedelta(minutes=n)).isoformat() for n in range(3)]
    bars = [f"bar {start}" for start in starts]
    eventually(lambda: set(bars) <= set(stage.keys(deployment)))
    assert len(stage.keys(deployment)) == len(set(stage.keys(deployment)))


def test_a_bar_that_is_published_twice_is_judged_once(stage: Stage) -> None:
    stage.deploy("each_event")
    stage.start()
    stage.await_cursor(stage.round(FIRST))

    stage.bar(0)
    stage.bar(0)
    stage.bar(1)

    newest = last_entry_id(stage.valkey, "bars:NSE")
    eventually(lambda: stage.valkey.hget(LOOP_CURSOR_KEY.format(run=RUN), "bars") == newest)
    assert stage.stop()["bars"] == 2


def test_writes_nothing_once_the_lease_is_gone(stage: Stage) -> None:
    (deployment,) = stage.deploy("each_event")
    stage.start()
    stage.await_cursor(stage.round(FIRST))

    stage.lease.is_held = False
    stage.round(SECOND)

    assert stage.join()["reason"] == "lease_lost"
    assert stage.keys(deployment) == [key_of(FIRST)]
    assert stage.valkey.hget(LOOP_CURSOR_KEY.format(run=RUN), "ts") == SESSION.open_at.isoformat()


def test_a_wish_that_was_not_recorded_is_wished_again(stage: Stage) -> None:
    (deployment,) = stage.deploy("once")
    stage.recorder.refuses = True
    stage.start()
    stage.await_cursor(stage.round(FIRST))
    assert stage.keys(deployment) == []

    stage.recorder.refuses = False
    stage.await_cursor(stage.round(SECOND))

    assert stage.keys(deployment) == ["once"]


def test_a_late_account_joins_when_it_is_armed(stage: Stage) -> None:
    stage.deploy("each_event")
    (late,) = stage.deploy("each_event", is_armed=False)
    stage.start()
    stage.await_cursor(stage.round(FIRST))

    with stage.database.begin() as session:
        session.execute(update(DeploymentRow).where(DeploymentRow.id == late).values(armed_on=DAY))
    stage.wake()
    eventually(lambda: stage.keys(late) or not stage.round(SECOND))

    assert stage.keys(late)[0] == key_of(SECOND)


def test_a_paused_deployment_is_not_asked(stage: Stage) -> None:
    (paused,), (other,) = stage.deploy("each_event"), stage.deploy("each_event")
    stage.start()
    stage.await_cursor(stage.round(FIRST))

    with stage.database.begin() as session:
        paused_row = update(DeploymentRow).where(DeploymentRow.id == paused)
        session.execute(paused_row.values(state=DeploymentState.PAUSED))
    stage.wake()
    stage.await_cursor(stage.round(SECOND))

    assert stage.keys(paused) == [key_of(FIRST)]
    assert stage.keys(other) == [key_of(FIRST), key_of(SECOND)]


def test_tells_a_strategy_of_its_fills(stage: Stage) -> None:
    (deployment,) = stage.deploy("each_event")
    stage.start()
    stage.await_cursor(stage.round(FIRST))
    with stage.database.begin() as session:
        owner = session.get_one(DeploymentRow, deployment)
        leg = LegRow(
            deployment_id=deployment,
            day=DAY,
            instrument_id="X.NSE",
            user_id=owner.user_id,
            account_id=owner.account_id,
        )
        session.add(leg)
    stage.wake()

    with stage.database.begin() as session:
        filled = update(LegRow).where(LegRow.deployment_id == deployment)
        session.execute(filled.values(net_qty=-65, entry_qty=65, entry_value=6500))
    stage.wake()

    eventually(lambda: "fill X.NSE ENTRY" in stage.keys(deployment))
    assert len(stage.keys(deployment)) == 2  # the leg without a fill was no fill


def test_goes_on_after_valkey_was_killed(stage: Stage, engines_home: Path) -> None:
    (deployment,) = stage.deploy("each_event")
    stage.start()
    stage.await_cursor(stage.round(FIRST))

    restart_valkey(engines_home)
    stage.await_cursor(stage.round(SECOND))

    assert stage.keys(deployment) == [key_of(FIRST), key_of(SECOND)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_ends_when_its_hub_cannot_read_the_stream_and_the_successor_goes_on(stage: Stage) -> None:
    (deployment,) = stage.deploy("each_event")
    stage.start()
    stage.await_cursor(stage.round(FIRST))

    stage.valkey.xadd("ticks:NSE", {"r": "not a round"})

    assert "the hub has died" in str(stage.join()["reason"])
    stage.start()
    stage.await_cursor(stage.round(SECOND))
    assert stage.keys(deployment) == [key_of(FIRST), key_of(SECOND)]


def test_announces_what_its_strategies_want_to_see(stage: Stage) -> None:
    stage.deploy("each_event")
    stage.start()

    key = NEEDS_KEY.format(venue="NSE", day=DAY)
    eventually(lambda: stage.valkey.smembers(key) == {"NIFTY.NSE|1|atr:2"})


def test_two_hundred_users_decide_within_one_round(stage: Stage) -> None:
    ids = stage.deploy("short_straddle", count=200)
    stage.start()
    for second in range(200, 303, 3):
        stage.await_cursor(stage.round(timedelta(seconds=second)))

    summary = stage.stop()
    print(f"200 straddles: {summary}")  # noqa: T201  reported, never asserted
    assert all(stage.keys(i) == ["2019-01-02:straddle:entry"] for i in ids)
    assert [len(batch) for batch in stage.recorder.batches] == [200]
