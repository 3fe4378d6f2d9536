"""Record what looks for an UNKNOWN order showed. Callers hold the transaction and lock the orders."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.models import InstrumentRow, OrderEvidenceRow, OrderRow
from app.domain.ids import AccountId, BrokerOrderId
from app.domain.orders import Side
from app.domain.unknown_orders import Look, Sought

_FOLDED_AMONG = 4
"""How many answers may take turns (clean, unreadable, ...) before a repeated one is a new row."""


def add_look(
    session: Session,
    order_id: int,
    look: Look,
    *,
    now: datetime,
    wall: datetime,
    provable_from: datetime | None = None,
) -> None:
    """Record a look, or count it where the same source gave the same answer before: looks are many."""
    answer = {
        "is_clean": look.is_clean,
        "is_proof": look.is_clean and provable_from is not None and provable_from <= wall,
        "seen": look.seen,
        "broker_order_ids": list(look.broker_order_ids),
        "provable_from": provable_from,
    }
    statement = (
        select(OrderEvidenceRow)
        .where(OrderEvidenceRow.order_id == order_id, OrderEvidenceRow.source == look.source)
        .order_by(OrderEvidenceRow.last_wall.desc(), OrderEvidenceRow.id.desc())
        .limit(_FOLDED_AMONG)
    )
    for row in session.scalars(statement):
        if all(getattr(row, name) == value for name, value in answer.items()):
            row.looks += 1
            row.last_wall = max(row.last_wall, wall)
            return
    session.add(
        OrderEvidenceRow(
            order_id=order_id, source=look.source, ts_init=now, first_wall=wall, last_wall=wall, **answer
        )
    )


def sought_of(session: Session, order: OrderRow) -> Sought:
    """Return what an order looks like at its broker."""
    symbol = session.scalar(
        select(InstrumentRow.broker_symbol).where(
            InstrumentRow.as_of == order.day, InstrumentRow.instrument_id == order.instrument_id
        )
    )
    return Sought(broker_symbol=symbol, side=Side(order.side), quantity=order.quantity)


def unknown_orders_of(session: Session, account_id: AccountId) -> list[OrderRow]:
    """Lock the account's orders with unknown outcome, in id order."""
    statement = (
        select(OrderRow)
        .where(OrderRow.account_id == account_id, OrderRow.is_unknown)
        .order_by(OrderRow.id)
        .with_for_update()
    )
    return list(session.scalars(statement))


def known_numbers(
    session: Session, account_id: AccountId, numbers: Collection[BrokerOrderId]
) -> frozenset[BrokerOrderId]:
    """Return which of these broker order ids belong to orders of ours."""
    statement = select(OrderRow.broker_order_id).where(
        OrderRow.account_id == account_id, OrderRow.broker_order_id.in_(numbers)
    )
    return frozenset(BrokerOrderId(str(number)) for number in session.scalars(statement))


def known_tags(session: Session, account_id: AccountId, tags: Collection[str]) -> frozenset[str]:
    """Return which of these client order ids belong to orders of ours, whatever their number."""
    statement = select(OrderRow.client_order_id).where(
        OrderRow.account_id == account_id, OrderRow.client_order_id.in_(tags)
    )
    return frozenset(session.scalars(statement)) if tags else frozenset()
