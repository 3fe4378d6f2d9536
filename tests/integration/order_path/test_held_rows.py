"""Rows that somebody holds keep nothing waiting in an exits lane but what is about them (I8)."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.db.exits import legs_to_mind
from app.db.models import LegRow, OrderRow
from app.db.session import is_held
from app.domain.ids import AccountId, BrokerOrderId
from app.domain.orders import OrderRole, OrderStatus
from app.domain.reports import Outcome, WriteResult
from app.infra.names import RunKind
from tests.integration.order_path.desk import Desk
from tests.integration.order_path.reports import filled


@contextmanager
def _held(desk: Desk, account_id: int) -> Iterator[None]:
    """Hold the rows of an account's orders and legs, as who brings a long book into the ledger."""
    with desk.database.begin() as session:
        for model in (OrderRow, LegRow):
            session.scalars(select(model).where(model.account_id == account_id).with_for_update()).all()
        yield


def _fill_two_accounts(desk: Desk) -> tuple[int, int]:
    desk.enroll(2)
    with desk.running(RunKind.ENTRIES, RunKind.BOOKS), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:2])
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.ENTRY, status=OrderStatus.FILLED) == 4)
    first, second = sorted({leg.account_id for leg in desk.legs()})
    return first, second


def test_a_leg_in_other_hands_is_passed_over(desk: Desk) -> None:
    first, second = _fill_two_accounts(desk)

    with _held(desk, first), desk.lease(RunKind.EXITS) as lease, desk.database.begin() as session:
        work = legs_to_mind(session, lease.spec, most_of=lambda _: None, wall=desk.clock.wall())

    assert [w.leg.account_id for w in work] == [second, second]


def test_the_others_are_protected_meanwhile(desk: Desk) -> None:
    first, second = _fill_two_accounts(desk)

    with desk.running(RunKind.EXITS):
        with _held(desk, first):
            desk.wait_for(lambda: _stops(desk, second) == 2)
            assert _stops(desk, first) == 0
        desk.wait_for(lambda: _stops(desk, first) == 2)


def test_answers_about_rows_in_other_hands_are_told_again(desk: Desk) -> None:
    first, second = _fill_two_accounts(desk)
    with desk.database.begin() as session:
        for order in session.scalars(select(OrderRow)):
            order.status, order.broker_order_id, order.answered_wall = OrderStatus.SUBMITTED, None, None
    answers = [
        (order.id, WriteResult(outcome=Outcome.ACCEPTED, broker_order_id=BrokerOrderId(f"9{order.id}")))
        for order in desk.orders()
    ]
    of_first = {order.id for order in desk.orders(account_id=first)}

    with _held(desk, first):
        assert set(desk.parts.execution.apply_submit_outcomes(answers, source="test")) == of_first
        assert _answered(desk) == {second}
    assert not desk.parts.execution.apply_submit_outcomes(answers, source="test")

    assert _answered(desk) == {first, second}


def test_news_about_rows_in_other_hands_fail_soon_where_that_was_asked_for(desk: Desk) -> None:
    first, _ = _fill_two_accounts(desk)
    order = desk.orders(account_id=first)[0]
    news = [filled(order, order.quantity, at=desk.clock.now())]

    with _held(desk, first):
        assert set(desk.parts.execution.apply_news({AccountId(first): news}, source="stream")) == {first}
        with pytest.raises(OperationalError) as failed:
            desk.parts.execution.apply_reports(AccountId(first), news, source="stream", is_brief=True)

    assert is_held(failed.value)


def _stops(desk: Desk, account_id: int) -> int:
    return desk.count_orders(account_id=account_id, role=OrderRole.STOP, status=OrderStatus.ACCEPTED)


def _answered(desk: Desk) -> set[int]:
    return {order.account_id for order in desk.orders() if order.answered_wall is not None}
