"""The auditor reads the brokers' books itself and believes no difference that it has seen only once."""

from decimal import Decimal

import pytest
from sqlalchemy import update

from app.db.models import FillRow, OrderRow
from app.domain.orders import OrderRole, OrderStatus
from app.infra.names import RunKind
from tests.integration.order_path.desk import Desk

pytestmark = pytest.mark.integration


def _misread_fill(order: OrderRow) -> FillRow:
    return FillRow(
        order_id=order.id,
        user_id=order.user_id,
        account_id=order.account_id,
        deployment_id=order.deployment_id,
        instrument_id=order.instrument_id,
        side=order.side,
        quantity=Decimal(1),
        price=Decimal(1),
        cumulative_qty=order.quantity + 1,
        ts_init=order.ts_init,
    )


def trade(desk: Desk) -> None:
    with desk.running(RunKind.ENTRIES, RunKind.EXITS), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop)
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 4)


def test_books_that_agree_have_no_breach_and_a_difference_needs_two_looks(desk: Desk) -> None:
    trade(desk)
    auditor, days = desk.parts.book_auditor, desk.parts.days()
    first = auditor.look(days)
    assert (first.breaches, first.unread) == ([], [])

    [order] = [o for o in desk.orders(role=OrderRole.ENTRY, account_id=1) if o.leg == 0]
    with desk.database.begin() as session:  # a lane that misread a fill, in every table that it writes
        session.execute(update(OrderRow).where(OrderRow.id == order.id).values(filled_qty=Decimal(1)))
        session.add(_misread_fill(order))
    assert auditor.look(days).breaches == [], "news may have been under way"
    found = auditor.look(days).breaches

    assert {(breach.invariant, breach.subject.split(" ")[0]) for breach in found} == {
        ("I4", "order"),
        ("I4", "position"),
    }
    desk.broker.post("faults", {"faults": [{"rate": 1.0, "kind": "outage", "endpoint": "reports"}]})
    silent = auditor.look(days)
    assert silent.breaches == found, "a broken invariant is not healed by a book that cannot be read"
    assert set(silent.unread) == {deployment.account_id for deployment in desk.deployments}


def test_an_order_of_ours_that_the_ledger_never_heard_of_is_found(desk: Desk) -> None:
    trade(desk)
    auditor = desk.parts.book_auditor
    with desk.database.begin() as session:
        session.execute(update(OrderRow).where(OrderRow.id == 1).values(client_order_id="ob0000000000000000"))

    found = auditor.audit(desk.parts.days(), pause=lambda: None).breaches

    assert [(breach.invariant, "the ledger has no such" in breach.message) for breach in found] == [
        ("I2", True)
    ]
