"""Ask for flat: durable wishes on legs and entries, which the lanes read; so no queue is needed."""

from datetime import date, datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.db.models import LegRow, OrderEventRow, OrderRow
from app.domain.orders import OrderEventKind, OrderRole, OrderStatus


def flatten_everything(session: Session, day: date, *, reason: str, wall: datetime) -> int:
    """Ask that every leg of the day is closed and no entry fills any more; return the legs asked for."""
    withdrawn = session.scalars(
        update(OrderRow)
        .where(
            OrderRow.day == day,
            OrderRow.role == OrderRole.ENTRY,
            OrderRow.status == OrderStatus.INITIALIZED,
        )
        .values(status=OrderStatus.CANCELED, reject_reason=reason, ended_wall=func.clock_timestamp())
        .returning(OrderRow.id)
    ).all()
    for order_id in withdrawn:
        session.add(
            OrderEventRow(
                order_id=order_id,
                kind=OrderEventKind.CANCELED,
                source=reason,
                details={"reason": reason},
                ts_init=wall,
                wall=wall,
            )
        )
    # A leg without a position is asked too: a late fill of a canceled entry then closes by itself.
    statement = (
        update(LegRow)
        .where(LegRow.day == day, LegRow.exit_reason.is_(None))
        .values(exit_reason=reason, exit_requested_wall=wall)
    )
    session.execute(statement)
    open_legs = select(func.count()).where(LegRow.day == day, LegRow.net_qty != 0)
    return session.scalar(open_legs) or 0
