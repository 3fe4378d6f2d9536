"""Lock legs, always in one order, so that writers of many legs cannot wait for each other in a circle."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, select, tuple_
from sqlalchemy.orm import Session

from app.db.models import LegRow, OrderRow


def same_leg() -> ColumnElement[bool]:
    """Return the condition that joins an order to its leg."""
    return and_(
        LegRow.deployment_id == OrderRow.deployment_id,
        LegRow.day == OrderRow.day,
        LegRow.instrument_id == OrderRow.instrument_id,
    )


def lock_legs(session: Session, *conditions: ColumnElement[bool]) -> Sequence[LegRow]:
    """Lock and return the legs that meet all conditions, in the order of account, deployment, instrument."""
    statement = (
        select(LegRow)
        .where(*conditions)
        .order_by(LegRow.account_id, LegRow.deployment_id, LegRow.instrument_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return session.scalars(statement).all()


def lock_legs_of(session: Session, orders: Iterable[OrderRow]) -> None:
    """Lock the legs of these orders at once: one by one, in the orders' order, two writers would cross."""
    keys = sorted({(o.deployment_id, o.day, o.instrument_id) for o in orders})
    if keys:
        columns = tuple_(LegRow.deployment_id, LegRow.day, LegRow.instrument_id)
        lock_legs(session, columns.in_(keys))


def note_exposed(leg: LegRow, wall: datetime) -> None:
    """Start the clock of a leg's unprotected time, unless it runs (I5)."""
    if leg.exposed_since is None:
        leg.exposed_since = wall


def note_protected(leg: LegRow, wall: datetime) -> None:
    """Stop the clock of a leg's unprotected time: an exit rests for all of it, or we watch its stop (I5)."""
    if leg.exposed_since is None:
        return
    exposed_ms = round((wall - leg.exposed_since).total_seconds() * 1000)
    leg.unprotected_max_ms = max(leg.unprotected_max_ms, exposed_ms)
    leg.exposed_since = None
