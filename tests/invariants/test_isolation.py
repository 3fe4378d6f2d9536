"""What is wrong with one account, one lane or one worker stops nobody else (I7, I8, I9, I10, I11)."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from app.db.controls import request_exits
from app.db.leases import LeaseLostError, check_fence, release_lease
from app.db.models import LoginRow, OrderRow
from app.domain.accounts import LoginStatus
from app.domain.deployments import Deployment
from app.domain.ids import AccountId
from app.domain.orders import OrderRole, OrderStatus
from app.domain.phases import Phase
from app.infra.names import RunKind
from tests.integration.order_path.desk import TODAY, Desk

pytestmark = pytest.mark.integration


def fault(desk: Desk, **what: object) -> None:
    desk.broker.post("faults", {"faults": [{"rate": 1.0, **what}]})


def filled_entries(desk: Desk, deployment: Deployment) -> Sequence[OrderRow]:
    return desk.orders(
        role=OrderRole.ENTRY, status=OrderStatus.FILLED, deployment_id=deployment.deployment_id
    )


def test_i7_exits_go_on_while_an_entry_of_the_same_account_hangs_at_the_broker(desk: Desk) -> None:
    trader = desk.deployments[0]
    with desk.running(RunKind.ENTRIES, RunKind.EXITS, RunKind.BOOKS), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("first"), loop, [trader])
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 2)
        # Stops are canceled and exits placed by other calls than the entry that hangs.
        fault(desk, kind="hang", endpoint="place", seconds=8.0, count=2)
        desk.record(desk.straddle("second", stop="0.30"), loop, [desk.deployments[1]])
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.ENTRY, status=OrderStatus.SUBMITTED) > 0)

        with desk.database.begin() as session:
            request_exits(session, where={}, day=TODAY, reason="square_off", wall=desk.clock.wall())
        desk.wait_for(
            lambda: all(leg.net_qty == 0 for leg in desk.legs(deployment_id=trader.deployment_id)), 6.0
        )


def test_i8_an_account_whose_broker_hangs_delays_no_other_account(desk: Desk) -> None:
    slow, quick = desk.deployments[:2]
    fault(desk, kind="hang", endpoint="place", seconds=8.0, ucc=["AA001"], count=2)
    with desk.running(RunKind.ENTRIES, RunKind.EXITS), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop)

        desk.wait_for(lambda: len(filled_entries(desk, quick)) == 2, 5.0)

        assert len(filled_entries(desk, slow)) == 0


def test_i9_a_login_that_hangs_or_is_refused_blocks_nobody(desk: Desk) -> None:
    hung, sound = (deployment.account_id for deployment in desk.deployments[:2])
    desk.broker.post("accounts", {"ucc": "AA001", "login_hang": True})
    with desk.database.begin() as session:
        for account_id in (hung, sound):
            row = session.get_one(LoginRow, (account_id, TODAY))
            row.status, row.claimed_until, row.next_try_at = LoginStatus.PENDING, None, None
    _next_totp_window(desk)
    worker = threading.Thread(target=desk.parts.logins.log_in, args=(TODAY, [hung, sound]))
    worker.start()

    desk.wait_for(lambda: _login(desk, sound).status == LoginStatus.READY, 8.0)
    assert _login(desk, hung).status == LoginStatus.LOGGING_IN
    desk.broker.post("accounts", {"ucc": "AA001", "login_hang": False})
    worker.join(40)

    assert _login(desk, hung).status in {LoginStatus.READY, LoginStatus.FAILED}


def test_i10_a_phase_fired_by_many_at_once_runs_once(desk: Desk) -> None:
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda _: desk.market_day.begin(TODAY, Phase.BELL), range(24)))

    assert begun.count(True) == 1
    desk.market_day.finish(TODAY, Phase.BELL, {})
    assert not desk.market_day.begin(TODAY, Phase.BELL)


def test_i10_a_phase_of_the_past_is_late_rather_than_never_but_not_senseless(desk: Desk) -> None:
    assert desk.market_day.begin(TODAY, Phase.LOGIN)  # 35 minutes late: it still makes sense
    assert not desk.market_day.begin(TODAY, Phase.SQUARE_OFF)  # not yet


def test_i11_only_one_holder_may_write_for_a_run(desk: Desk) -> None:
    with desk.lease(RunKind.LOOPS) as first:
        with desk.database.begin() as session:
            release_lease(session, first.name, fence=first.fence)  # as if it had lapsed
        with desk.lease(RunKind.LOOPS) as second, desk.database.begin() as session:
            assert second.fence > first.fence
            check_fence(session, second.name, fence=second.fence)
            with pytest.raises(LeaseLostError):
                check_fence(session, first.name, fence=first.fence)


def _login(desk: Desk, account_id: AccountId) -> LoginRow:
    with desk.database.begin() as session:
        return session.get_one(LoginRow, (account_id, TODAY))


def _next_totp_window(desk: Desk) -> None:
    at = desk.clock.now() + timedelta(seconds=60)
    desk.clock.set(at, rate=1.0)
    desk.broker.post("clock", {"now": at.isoformat(), "rate": 1.0})
