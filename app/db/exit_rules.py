"""Keep what exit rules remember of a leg, find stopped siblings, and take refused moves of a stop back.

Callers hold the transaction.
"""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from app.db.models import LegRow, OrderEventRow, OrderRow
from app.domain.ids import InstrumentId
from app.domain.numbers import ZERO
from app.domain.orders import OrderEventKind, OrderRole, OrderType
from app.domain.risk.exit_rules import ExitState

STOPPED = "stop"
"""The reason of an exit that nobody asked for: the price reached the leg's stop."""


def take_exit_terms(row: LegRow, order: OrderRow, *, now: datetime) -> None:
    """Put the exit rules of an entry on its locked leg, before a fill of it is folded in.

    A fill of a flat leg opens a position, of which nothing is remembered; a moved stop of the one before
    goes. More of the same position keeps what is remembered, so that no stop loosens.
    """
    row.exit_terms = order.exit_terms
    if row.net_qty == 0:
        row.exit_state = None
    if order.exit_terms is not None and row.exit_state is None:
        is_new = row.net_qty == 0
        row.exit_state = ExitState(
            opened_at=now,
            signal_id=order.signal_id,
            earlier_qty=row.entry_qty if is_new else ZERO,
            earlier_value=row.entry_value if is_new else ZERO,
        ).to_mapping()


def resting_terms(row: OrderRow) -> dict[str, str]:
    """Return where a resting stop lies, for the event that asks to change it; nothing of another order."""
    if row.order_type != OrderType.STOP_LIMIT:
        return {}
    return {"price_before": str(row.price), "trigger_before": str(row.trigger_price)}


def take_back_move(session: Session, row: OrderRow) -> None:
    """Put a locked stop of which a move was refused back to where it rests at the venue.

    Its quantity stays as asked for until the books tell: asking again at once would spend the order budget.
    """
    if row.order_type != OrderType.STOP_LIMIT:
        return
    newest = (
        select(OrderEventRow.details)
        .where(OrderEventRow.order_id == row.id, OrderEventRow.kind == OrderEventKind.UPDATE_REQUESTED)
        .order_by(OrderEventRow.id.desc())
        .limit(1)
    )
    details = session.scalar(newest) or {}
    if "trigger_before" in details:
        row.price, row.trigger_price = Decimal(details["price_before"]), Decimal(details["trigger_before"])


def stopped_legs(session: Session, signal_ids: Collection[int]) -> set[tuple[int, InstrumentId]]:
    """Return (signal, instrument) of the legs of these signals that a stop took out, in whole or part."""
    if not signal_ids:
        return set()
    stop = aliased(OrderRow)
    statement = (
        select(OrderRow.signal_id, OrderRow.instrument_id)
        .distinct()
        .join(
            stop,
            (stop.account_id == OrderRow.account_id)  # has an index
            & (stop.deployment_id == OrderRow.deployment_id)
            & (stop.day == OrderRow.day)
            & (stop.instrument_id == OrderRow.instrument_id),
        )
        .where(
            OrderRow.signal_id.in_(signal_ids),
            OrderRow.role == OrderRole.ENTRY,
            OrderRow.filled_qty > 0,
            stop.role != OrderRole.ENTRY,
            stop.reason == STOPPED,
            stop.filled_qty > 0,
            stop.id > OrderRow.id,
        )
    )
    return {(signal_id, InstrumentId(name)) for signal_id, name in session.execute(statement) if signal_id}
