"""A strategy that misbehaves halts its own deployment and costs nobody else anything (I8)."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.db.models import AlarmRow, AuditRow
from app.services.loops.step_guard import EXIT_CODE_STUCK
from tests.integration.loops.stage import Stage
from tests.waiting import eventually

pytestmark = pytest.mark.integration

GOOD, BAD, AFTER = (timedelta(seconds=s) for s in (0, 60, 75))


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [
        ("raises", "the strategy raised ValueError: a bug of the author"),
        ("leaves", "the strategy raised SystemExit: 3"),
        ("loops", "the strategy did not decide within 0.3 s"),
        ("swallows", "the strategy did not decide within 0.3 s"),
        ("nonsense", "the strategy raised app.domain.errors.NotFoundError: NO-SUCH.NSE is not in the"),
        (
            "odd_bars",
            "the strategy raised app.domain.errors.InvalidInputError: indicators: expected bars of 1m, 5m",
        ),
        (
            "unknown_strategy",
            "the strategy raised app.domain.errors.InvalidInputError: strategy: expected one",
        ),
    ],
)
def test_only_the_bad_deployment_is_halted_and_people_learn_why(
    stage: Stage, strategy: str, reason: str
) -> None:
    (before,), (bad,), (behind,) = (stage.deploy(s) for s in ("each_event", strategy, "each_event"))
    stage.start()
    stage.await_cursor(stage.round(GOOD))

    stage.await_cursor(stage.round(BAD))
    stage.await_cursor(stage.round(AFTER))

    assert len(stage.keys(before)) == len(stage.keys(behind)) == 3
    assert stage.keys(bad) == []
    state, why = stage.state(bad)
    assert state == "HALTED"
    assert why.startswith(reason)
    with stage.database.begin() as session:
        alarm = session.scalars(select(AlarmRow)).one()
        act = session.scalars(select(AuditRow)).one()
    assert (alarm.code, alarm.subject) == ("strategy_halted", f"deployment:{bad}")
    assert reason in alarm.message
    assert (act.action, act.subject) == ("deployment.halt", f"deployment:{bad}")
    assert stage.stop()["halted"] == 1


def test_a_strategy_that_cannot_be_interrupted_ends_the_process_and_stays_out(
    stage: Stage, fresh_database_url: str
) -> None:
    (good,), (bad,) = stage.deploy("each_event"), stage.deploy("sleeps")
    stage.round(BAD)

    host = subprocess.run(
        [sys.executable, "-m", "tests.integration.loops.host_process"],
        env={**os.environ, "TEST_DATABASE_URL": fresh_database_url, "TEST_REDIS_URL": redis_url_of(stage)},
        timeout=90,
        check=False,
    )

    assert host.returncode == EXIT_CODE_STUCK
    state, why = stage.state(bad)
    assert (state, "could not be interrupted" in why) == ("HALTED", True)
    stage.start()
    stage.await_cursor(stage.round(AFTER))
    eventually(lambda: len(stage.keys(good)) >= 1)


def redis_url_of(stage: Stage) -> str:
    options = stage.valkey.connection_pool.connection_kwargs
    secret = options.get("password")
    user = "" if secret is None else f"{options.get('username') or ''}:{secret}@"
    return f"redis://{user}{options['host']}:{options['port']}"
