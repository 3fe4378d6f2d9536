"""Prove that nothing slips past a kill switch: decisions under way, late loops, writers that stand still."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.db.leases import want_run
from app.db.models import OrderRow, UserRow
from app.db.risk_state import EntryWindow, lock_risk_states
from app.db.session import Database
from app.domain.accounts import TradingState
from app.domain.commands import ControlAction, ControlScope
from app.domain.orders import OrderStatus
from app.domain.risk.rules import DenialCode
from app.domain.users import Actor, Role
from app.infra.names import RunKind
from app.services.kill_switch import press_kill_switch
from app.services.risk_control import ControlTarget, moment_of
from app.services.runs import held_lease
from tests.integration.order_path.desk import SPEC, TODAY, Desk

OPERATOR = Actor(name="asha", role=Role.ADMIN, origin="cli")
TENANT = ControlTarget(scope=ControlScope.TENANT, target=None)


def _press(desk: Desk, target: ControlTarget = TENANT) -> None:
    press_kill_switch(
        desk.database,
        OPERATOR,
        target,
        action=ControlAction.HALT,
        reason="test",
        moment=lambda: moment_of(desk.clock),
    )


def _judge(desk: Desk, session: Session) -> set[TradingState]:
    """Begin a decision about every account; its locks last as long as the transaction."""
    account_ids = [deployment.account_id for deployment in desk.deployments]
    window = EntryWindow(opens_at=None, closes_at=None)
    states = lock_risk_states(
        session, account_ids, day=TODAY, window=window, quotes={}, net_pnls=lambda *_: {}
    )
    return {state.user_state for state in states.values()}


def test_a_press_waits_for_decisions_under_way_and_later_ones_see_it(desk: Desk) -> None:
    with desk.database.begin() as session:
        assert _judge(desk, session) == {TradingState.ACTIVE}
        press = threading.Thread(target=_press, args=(desk,))
        press.start()
        press.join(0.5)
        assert press.is_alive(), "pressed while a decision by the old state could still be recorded"
    press.join(10)

    with desk.database.begin() as session:
        assert _judge(desk, session) == {TradingState.HALTED}


def test_a_loop_that_has_not_heard_of_the_halt_of_its_deployment_opens_nothing(desk: Desk) -> None:
    halted = desk.deployments[0]
    _press(desk, ControlTarget(scope=ControlScope.DEPLOYMENT, target=halted.deployment_id))

    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop)

    assert {(o.status, o.denial_code) for o in desk.orders(deployment_id=halted.deployment_id)} == {
        (OrderStatus.DENIED, DenialCode.DEPLOYMENT_STATE)
    }
    other = desk.deployments[1].deployment_id
    assert {o.status for o in desk.orders(deployment_id=other)} == {OrderStatus.INITIALIZED}


def test_a_writer_that_stands_still_does_not_hold_up_the_press(desk: Desk) -> None:
    """A process that was stopped in mid-transaction keeps its row locks until PostgreSQL ends it."""
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop)
    frozen = Database(desk.database.url, max_idle_s=1)
    with pytest.raises(DBAPIError, match="idle"), frozen.begin() as session:  # noqa: PT012  one transaction
        assert session.scalars(select(OrderRow).with_for_update()).all()
        _press(desk)
        session.execute(select(UserRow.id))
    frozen.close()

    assert {order.status for order in desk.orders()} == {OrderStatus.CANCELED}


def test_a_run_ends_at_its_length_only_when_a_successor_can_be_called(desk: Desk) -> None:
    """While Valkey is away nobody else could be told to take the lane over."""
    can_call = threading.Event()
    with desk.database.begin() as session:
        want_run(session, name="exits-of-test", kind=RunKind.EXITS, queue="exits", spec=SPEC)
    with held_lease(
        desk.database,
        desk.clock,
        name="exits-of-test",
        holder="test",
        ttl=timedelta(seconds=1),
        length_s=0.1,
        can_hand_over=can_call.is_set,
    ) as lease:
        assert lease is not None
        assert not lease.ended.wait(1.5)
        assert lease.is_valid()
        can_call.set()
        assert lease.ended.wait(1.5)
