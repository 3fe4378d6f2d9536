"""An older backup is restored on a running day: its gaps are found, and nothing is sent twice (I2, I4)."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update
from typer.testing import CliRunner

from app.cli.program import build
from app.config import load_settings
from app.db.controls import request_exits
from app.db.leases import INTERRUPTED_AFTER
from app.db.models import AccountRow, AuditRow, LeaseRow
from app.domain.accounts import TradingState
from app.domain.ids import BrokerOrderId
from app.domain.orders import OrderRole, OrderStatus
from app.infra.names import RunKind
from tasks.container import Container
from tests.integration.order_path.desk import TODAY, Desk

pytestmark = pytest.mark.integration

ALL = (RunKind.ENTRIES, RunKind.EXITS, RunKind.BOOKS)


def _type(desk: Desk, *words: str, status: int = 0) -> str:
    """Type a command of `openbell` at this desk's installation; return what it says."""
    environment = {
        "OPENBELL_HOME": str(desk.parts.settings.home),
        "OPENBELL_DATABASE_URL": desk.parts.addresses.database_url,
        "OPENBELL_REDIS_URL": desk.parts.addresses.redis_url,
    }
    load_settings.cache_clear()
    result = CliRunner().invoke(build(), list(words), env=environment)
    load_settings.cache_clear()
    assert result.exit_code == status, result.output
    return result.output


@contextmanager
def _reborn(desk: Desk) -> Iterator[Desk]:
    """All processes start again: only the database, Valkey and the broker know anything."""
    parts = Container(
        settings=desk.parts.settings, addresses=desk.parts.addresses, stop=threading.Event(), holder="again"
    )
    again = Desk(parts=parts, broker=desk.broker, deployments=desk.deployments)
    with closing(again):
        yield again


def _let_time_pass(desk: Desk) -> None:
    """Nobody has held a lease since the backup was made, which is longer ago than this test lasts."""
    with desk.database.begin() as session:
        longer = func.clock_timestamp() - 2 * INTERRUPTED_AFTER
        session.execute(update(LeaseRow).values(expires_at=longer))


def _tags(desk: Desk) -> Counter[str]:
    return Counter(order["tag"] for order in desk.broker.get("orders"))


def _reasons(desk: Desk) -> Sequence[str]:
    with desk.database.begin() as session:
        return session.scalars(select(AuditRow.reason).filter_by(action="restore_backup")).all()


def _stops(desk: Desk) -> int:
    return desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED)


def test_a_restored_ledger_finds_what_it_lost_and_sends_nothing_twice(desk: Desk, tmp_path: Path) -> None:
    """Lost since the backup: a stop that took the place of another, and all orders of a second account."""
    first, second = desk.deployments
    file, late = tmp_path / "yesterday.dump", desk.straddle("late")
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("early"), loop, [first])
        desk.wait_for(lambda: _stops(desk) == 2)
    _type(desk, "backup", str(file))
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        stop = BrokerOrderId(str(desk.orders(role=OrderRole.STOP)[0].broker_order_id))
        desk.parts.gateways.get(first.account_id).cancel_order(stop, timeout_s=3)
        desk.wait_for(lambda: desk.count_orders(attempt=1, status=OrderStatus.ACCEPTED) == 1)
        desk.record(late, loop, [second])
        desk.wait_for(lambda: _stops(desk) == 4)
    sent = _tags(desk)
    assert "stop everything first" in _type(desk, "restore", str(file), "--reason", "too early", status=1)
    desk.close()
    _type(desk, "restore", str(file), "--reason", "the disk failed")

    with _reborn(desk) as again:
        _let_time_pass(again)
        with again.running(*ALL):
            again.wait_for(lambda: _states(again) == {TradingState.REDUCING})
            again.wait_for(lambda: again.count_orders(attempt=1, status=OrderStatus.ACCEPTED) == 1)
            with again.database.begin() as session:
                request_exits(session, where={}, day=TODAY, reason="square_off", wall=again.clock.wall())
            again.wait_for(lambda: all(leg.net_qty == 0 for leg in again.legs()))
        _resume(again)
        with again.lease(RunKind.LOOPS) as loop:
            again.record(late, loop, [second])

        denied = {order.denial_code for order in again.orders(account_id=second.account_id)}
        assert denied == {"DUPLICATE", "OTHER_LEG"}
        both = {f"account:{deployment.account_id}" for deployment in (first, second)}
        assert set(again.open_alarms("ledger_behind")) == both
        assert _reasons(again) == ["the disk failed"]
    assert _tags(desk) == sent
    assert set(sent.values()) == {1}
    held = [p["net"] for p in desk.broker.get("positions") if p["ucc"] == "AA001"]
    assert held == [0, 0], "the exit that was lost is known again, and closes its leg"


def test_an_order_that_left_after_the_backup_is_not_sent_again(desk: Desk, tmp_path: Path) -> None:
    """It waits in the backup, still valid: the lane holds it until the books have shown it."""
    file = tmp_path / "just-now.dump"
    with desk.lease(RunKind.ENTRIES), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
    with desk.database.begin() as session:
        session.execute(text("UPDATE orders SET valid_until = valid_until + interval '1 hour'"))
    _type(desk, "backup", str(file))
    with desk.running(RunKind.ENTRIES):
        desk.wait_for(lambda: sum(_tags(desk).values()) == 2)
    desk.close()
    _type(desk, "restore", str(file), "--reason", "the disk failed")

    with _reborn(desk) as again:
        _let_time_pass(again)
        with again.running(RunKind.ENTRIES):
            again.wait_for(lambda: _is_doubted(again))
            threading.Event().wait(1)
            assert again.count_orders(status=OrderStatus.INITIALIZED) == 2, "held, and not sent again"
            with again.running(RunKind.BOOKS, RunKind.EXITS):
                again.wait_for(lambda: again.count_orders(status=OrderStatus.FILLED) == 2)
                again.wait_for(lambda: _stops(again) == 2)
        assert set(_tags(desk).values()) == {1}
        assert _states(again) == {TradingState.REDUCING, TradingState.ACTIVE}


def test_a_bare_leg_waits_for_the_books_but_not_for_ever(desk: Desk) -> None:
    """Its stop may be at the broker; where nobody can read the books, it is placed all the same (I5)."""
    with desk.running(RunKind.ENTRIES, RunKind.BOOKS), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
        desk.wait_for(lambda: desk.count_orders(status=OrderStatus.FILLED) == 2)
    with desk.lease(RunKind.EXITS):
        pass  # a lane has been there before
    _let_time_pass(desk)

    with desk.running(RunKind.EXITS):
        desk.wait_for(lambda: _is_doubted(desk))
        desk.wait_for(lambda: _stops(desk) == 2)

    with desk.database.begin() as session:
        since = session.scalar(select(func.max(AccountRow.unproven_since)))
    assert since is not None
    placed = [order.submitted_wall for order in desk.orders(role=OrderRole.STOP)]
    assert all(wall is not None and wall - since > timedelta(seconds=2.9) for wall in placed)


def _resume(desk: Desk) -> None:
    with desk.database.begin() as session:
        session.execute(update(AccountRow).values(trading_state=TradingState.ACTIVE, state_reason=""))


def _states(desk: Desk) -> set[str]:
    with desk.database.begin() as session:
        return set(session.scalars(select(AccountRow.trading_state)))


def _is_doubted(desk: Desk) -> bool:
    with desk.database.begin() as session:
        return session.scalar(select(func.count(AccountRow.unproven_since))) == 2
