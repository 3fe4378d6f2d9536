"""Keep orders: claim, move through the states, book fills. Callers hold the transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.exit_rules import take_exit_terms
from app.db.legs import note_exposed
from app.db.models import FillRow, LegRow, OrderEventRow, OrderRow
from app.domain.ids import AccountId
from app.domain.orders import TERMINAL, OrderEventKind, OrderRole, OrderStatus, Side, next_status
from app.domain.positions import Leg, apply_fill, fill_step

OPEN_STATUSES = tuple(s.value for s in OrderStatus if s not in TERMINAL)
OVERCLOSED = "overclosed"
"""Why a leg leaves that an exit of ours has turned round."""


def lock_orders(session: Session, order_ids: Iterable[int]) -> dict[int, OrderRow]:
    """Lock these orders in id order (no deadlocks) and return them by id."""
    statement = (
        select(OrderRow).where(OrderRow.id.in_(sorted(order_ids))).order_by(OrderRow.id).with_for_update()
    )
    return {row.id: row for row in session.scalars(statement)}


def open_orders(session: Session, account_ids: Iterable[AccountId]) -> Sequence[OrderRow]:
    """Return the orders of these accounts that have not ended, oldest first."""
    statement = (
        select(OrderRow)
        .where(OrderRow.account_id.in_(list(account_ids)), OrderRow.status.in_(OPEN_STATUSES))
        .order_by(OrderRow.id)
    )
    return session.scalars(statement).all()


def move_order(
    session: Session,
    order: OrderRow,
    kind: OrderEventKind,
    *,
    source: str,
    now: datetime,
    wall: datetime,
    details: dict[str, Any] | None = None,
) -> None:
    """Apply one event to a locked order by the one transition table, and record it."""
    before = OrderStatus(order.status)
    after = next_status(before, kind, filled=order.filled_qty, quantity=order.quantity)
    order.status = after
    if after.is_terminal and not before.is_terminal:
        order.ended_wall = wall
        order.is_unknown = False
    session.add(
        OrderEventRow(
            order_id=order.id, kind=kind, source=source, details=details or {}, ts_init=now, wall=wall
        )
    )


def book_fill(
    session: Session,
    order: OrderRow,
    *,
    filled: Decimal,
    avg_px: Decimal,
    source: str,
    now: datetime,
    wall: datetime,
) -> bool:
    """Book what a cumulative report adds to a locked order; return whether it was news.

    The fill, the order's progress, the leg and the event stand in the same transaction; the unique
    key (order, cumulative quantity) refuses a second booking whatever repeats.
    """
    step = fill_step(order.filled_qty, order.avg_px, reported_filled=filled, reported_avg=avg_px)
    if step is None:
        return False
    quantity, price = step
    _insert_fill(session, order, step, filled=filled, at=(now, wall))
    order.filled_qty = filled
    order.avg_px = avg_px
    move_order(
        session,
        order,
        OrderEventKind.FILLED,
        source=source,
        now=now,
        wall=wall,
        details={"quantity": str(quantity), "price": str(price), "cumulative": str(filled)},
    )
    _fold_into_leg(session, order, step, now=now, wall=wall)
    return True


def _insert_fill(
    session: Session,
    order: OrderRow,
    step: tuple[Decimal, Decimal],
    *,
    filled: Decimal,
    at: tuple[datetime, datetime],
) -> None:
    quantity, price = step
    now, wall = at
    row = insert(FillRow).values(
        order_id=order.id,
        user_id=order.user_id,
        account_id=order.account_id,
        deployment_id=order.deployment_id,
        instrument_id=order.instrument_id,
        side=order.side,
        quantity=quantity,
        price=price,
        cumulative_qty=filled,
        ts_init=now,
        wall=wall,
    )
    session.execute(row)


def lock_leg(session: Session, order: OrderRow) -> LegRow:
    """Lock the leg that an order belongs to, making it first where it is new."""
    key = {
        "deployment_id": order.deployment_id,
        "day": order.day,
        "instrument_id": order.instrument_id,
    }
    session.execute(
        insert(LegRow)
        .values(
            **key,
            user_id=order.user_id,
            account_id=order.account_id,
            stop_fraction=order.stop_fraction,
            exit_terms=order.exit_terms,
        )
        .on_conflict_do_nothing()
    )
    return session.scalars(select(LegRow).filter_by(**key).with_for_update()).one()


def _fold_into_leg(
    session: Session, order: OrderRow, step: tuple[Decimal, Decimal], *, now: datetime, wall: datetime
) -> None:
    quantity, price = step
    row, role = lock_leg(session, order), OrderRole(order.role)
    before = row.net_qty
    if role is OrderRole.ENTRY:
        take_exit_terms(row, order, now=now)
    fold_fill(row, side=Side(order.side), quantity=quantity, price=price, role=role)
    if role is OrderRole.ENTRY:
        row.stop_fraction = order.stop_fraction
        # A bought hedge without a stop has paid the most that it can lose.
        needs_stop = order.stop_fraction is not None or not order.is_hedge
        if needs_stop and abs(row.net_qty) > abs(before):
            note_exposed(row, wall)
    else:
        leave_if_overclosed(row, before=before, wall=wall)


def leave_if_overclosed(row: LegRow, *, before: Decimal, wall: datetime) -> None:
    """Let a locked leg leave at once that was turned round: a stranger closed it while our exit filled.

    What the exit opened is ours. `before` is the signed quantity before the fill.
    """
    if row.net_qty * before <= 0 and row.net_qty != 0:
        note_exposed(row, wall)
        row.exit_reason = row.exit_reason or OVERCLOSED
        row.exit_requested_wall = row.exit_requested_wall or wall


def fold_fill(row: LegRow, *, side: Side, quantity: Decimal, price: Decimal, role: OrderRole) -> None:
    """Fold one fill into a locked leg."""
    after = apply_fill(leg_of(row), side=side, quantity=quantity, price=price, role=role)
    row.net_qty, row.cash = after.net_qty, after.cash
    row.entry_qty, row.entry_value = after.entry_qty, after.entry_value
    row.is_stopped = after.is_stopped
    if after.net_qty == 0:
        row.exposed_since = None


def leg_of(row: LegRow) -> Leg:
    """Return the domain value of a leg row."""
    return Leg(
        net_qty=row.net_qty,
        entry_qty=row.entry_qty,
        entry_value=row.entry_value,
        cash=row.cash,
        is_stopped=row.is_stopped,
    )
