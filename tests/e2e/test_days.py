"""Whole trading days with real Celery, Valkey, PostgreSQL and the real Kotak client against its simulator."""

import pytest

from tests.e2e.conftest import StartDay
from tests.e2e.days import assert_sound

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def test_a_seed_repeats_its_decisions_even_when_the_bell_rings_twice(start_day: StartDay) -> None:
    once = start_day("--accounts", "4", "--seed", "7")
    first = once.end()
    second = start_day("--accounts", "4", "--seed", "7", "--bell", "twice").end()

    assert_sound(first)
    assert_sound(second)
    assert first.journal == second.journal
    assert first.report["bell"]["orders"] == 4
    assert first.report["orders"]["filled"] > 0
    assert first.report["signals"]["by_deployment"].keys() == {"bell-straddle", "straddle", "breakout"}


def test_bad_accounts_and_bad_strategies_hurt_nobody_else(start_day: StartDay) -> None:
    day = start_day(
        *("--accounts", "6", "--seed", "7", "--bell", "late"),
        *("--broken", "bad_totp:1,hung_login:1,dead_egress:1"),
        *("--strategy-module", "tests.strategies.day_breakers"),
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
