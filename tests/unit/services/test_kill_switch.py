"""What a kill switch may aim at, and how its times are summed up."""

from datetime import UTC, datetime

import pytest

from app.domain.accounts import BrokerCode
from app.domain.commands import ControlScope
from app.domain.errors import InvalidInputError
from app.services.kill_switch import KilledAccount, LastOrderTimes, last_order_times
from app.services.risk_control import ControlTarget

NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)


def _account(took_ms: int | None) -> KilledAccount:
    return KilledAccount(
        account_id=1,
        user_name="asha",
        account_name="main",
        broker=BrokerCode.KOTAK_NEO,
        open_legs=0,
        live_entries=0,
        last_order_at=None,
        press_to_last_order_ms=took_ms,
        flat_at=NOW,
        why_not_flat=None,
    )


@pytest.mark.parametrize(
    ("scope", "target"),
    [
        (ControlScope.TENANT, 7),
        (ControlScope.BROKER, 7),
        (ControlScope.BROKER, None),
        (ControlScope.FAMILY, None),
        (ControlScope.FAMILY, BrokerCode.PAPER),
        (ControlScope.USER, None),
        (ControlScope.ACCOUNT, BrokerCode.PAPER),
        (ControlScope.DEPLOYMENT, None),
    ],
)
def test_a_target_that_does_not_fit_its_scope_is_refused(
    scope: ControlScope, target: int | BrokerCode | None
) -> None:
    with pytest.raises(InvalidInputError):
        ControlTarget(scope=scope, target=target)


@pytest.mark.parametrize(
    ("took", "expected"),
    [
        ([], LastOrderTimes(accounts=0, p50_ms=None, p99_ms=None)),
        ([None, None], LastOrderTimes(accounts=0, p50_ms=None, p99_ms=None)),
        ([40, None], LastOrderTimes(accounts=1, p50_ms=40, p99_ms=40)),
        (list(range(200, 0, -1)), LastOrderTimes(accounts=200, p50_ms=100, p99_ms=198)),
    ],
)
def test_times_are_the_nearest_rank_over_the_accounts_that_sent(
    took: list[int | None], expected: LastOrderTimes
) -> None:
    assert last_order_times(map(_account, took)) == expected
