"""Whole trading days with real Celery, Valkey, PostgreSQL and the real Kotak client against its simulator."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.db.models import LegRow
from tests.e2e.conftest import StartDay
from tests.e2e.days import RunningDay, assert_sound

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

KILLED = (
    "worker-loops",
    "worker-orders",
    "worker-exits",
    "worker-exits-2",
    "worker-control",
    "worker-cpu",
    "beat",
    "feed",
    "api",
)


def test_a_seed_repeats_its_decisions_even_when_the_bell_rings_twice(start_day: StartDay) -> None:
    once = start_day("--accounts", "4", "--seed", "7")
    twice = start_day("--accounts", "4", "--seed", "7", "--bell", "twice")
    first, second = once.end(), twice.end()

    assert_sound(first)
    assert_sound(second)
    assert first.journal == second.journal
    assert first.report["bell"]["orders"] == 4
    assert first.report["orders"]["filled"] > 0
    assert first.report["signals"]["by_deployment"].keys() == {"bell-straddle", "straddle", "breakout"}


def test_a_day_survives_kill_9_of_the_whole_stack_at_once(start_day: StartDay) -> None:
    """The timed entries have just filled: whoever comes back adopts the positions and guards them (I5)."""
    day = start_day("--accounts", "4", "--seed", "8", "--close", "09:45")
    day.wait_until("09:20:03")
    killed_at = datetime.now(UTC)
    day.kill_all(*KILLED)
    day.wait_for("every position guarded", lambda: _is_guarded(day, since=killed_at))
    guarded_at = datetime.now(UTC)
    ended = day.end()

    assert_sound(ended)
    assert ended.report["restarts"].keys() == {*KILLED, "engines"}
    bare_for = guarded_at - _came_back(day, after=killed_at)
    alarms = {alarm["what"].split(" ")[0] for alarm in ended.report["alarms"]}
    assert bare_for <= timedelta(seconds=3) or "unprotected" in alarms, bare_for


def _is_guarded(day: RunningDay, *, since: datetime) -> bool:
    """Whether an exits lane is back, holds the broker's positions for its own, and none of them is bare."""
    at_broker = sum(position["net"] for position in day.simulator("/_sim/positions"))
    try:
        with day.ledger() as session:
            legs = session.scalars(select(LegRow).where(LegRow.net_qty != 0)).all()
    except OperationalError:
        return False
    is_adopted = len(legs) > 0 and sum(leg.net_qty for leg in legs) == at_broker
    is_back = _came_back(day, after=since) > since
    return is_back and is_adopted and all(leg.exposed_since is None for leg in legs)


def _came_back(day: RunningDay, *, after: datetime) -> datetime:
    """Return when the first exits lane began after a moment, that moment before it has."""
    began = (
        datetime.fromisoformat(line["timestamp"])
        for name in ("worker-exits", "worker-exits-2")
        for line in day.log_lines(name)
        if line.get("event") == "run_started" and str(line["run"]).startswith("exits")
    )
    return min((moment for moment in began if moment > after), default=after)


def test_bad_accounts_bad_strategies_and_a_loss_hurt_nobody_else(start_day: StartDay) -> None:
    day = start_day(
        *("--accounts", "6", "--seed", "7", "--bell", "late"),
        *("--broken", "bad_totp:1,hung_login:1,dead_egress:1"),
        *("--strategy-module", "tests.strategies.day_breakers", "--loss-limit", "u002:50"),
    )
    day.wait_until("09:30")
    day.simulator("/_sim/accounts", {"ucc": "OB005", "login_hang": False})
    ended = day.end()

    assert_sound(ended)
    assert {row["user"]: row["reason"] for row in ended.report["logins"]["not_ready"]} == {
        "u004": "bad_totp",
        "u006": "egress_down",
    }
    assert ended.report["logins"]["late"] == 1
    assert {halt["what"] for halt in ended.report["risk"]["halted"]} == {
        "deployment u007/under-test",
        "deployment u008/under-test",
    }
    # Both broken strategies had sold their straddles: nothing is left open although they were halted.
    assert ended.report["bell"]["orders"] == 2
    assert ended.report["signals"]["by_deployment"]["under-test"] == 2
    # The loss closed one account for the day; the others sold the same straddle and went on.
    (lock,) = ended.report["risk"]["locks"]
    assert (lock["what"], lock["rule"], lock["limit"]) == ("account u002", "MAX_DAILY_LOSS", "50")
    assert Decimal(lock["value"]) <= -50
    assert lock["breach_to_flat_s"] is not None
    assert lock["entries_after"] == 0
    assert "loss_lock" in {alarm["what"].split(" ")[0] for alarm in ended.report["alarms"]}
