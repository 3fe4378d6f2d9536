"""Read orders with unknown outcome and the evidence about them."""

from collections.abc import Collection, Sequence

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from app.db.models import AccountRow, InstrumentRow, OrderEvidenceRow, OrderRow
from app.db.scope import DataScope
from app.db.views import AnyRow, AnySelect
from app.db.views.trading import select_orders
from app.domain.ids import OrderId


def read_unknown_orders(session: Session, scope: DataScope) -> Sequence[AnyRow]:
    """Return all orders whose outcome is unknown, of any day, oldest first."""
    return session.execute(_orders(scope).where(OrderRow.is_unknown).order_by(OrderRow.id)).all()


def read_once_unknown_order(session: Session, scope: DataScope, order_id: OrderId) -> AnyRow | None:
    """Return an order whose outcome is or was unknown, or None when there is none in the scope."""
    statement = _orders(scope).where(OrderRow.id == order_id, OrderRow.was_unknown)
    return session.execute(statement).one_or_none()


def read_evidence(session: Session, scope: DataScope, order_ids: Collection[int]) -> Sequence[AnyRow]:
    """Return every recorded look for these orders, in the order of the first looks."""
    statement = (
        select(
            OrderEvidenceRow.id,
            OrderEvidenceRow.order_id,
            OrderEvidenceRow.source,
            OrderEvidenceRow.is_clean,
            OrderEvidenceRow.is_proof,
            OrderEvidenceRow.seen,
            OrderEvidenceRow.broker_order_ids,
            OrderEvidenceRow.provable_from,
            OrderEvidenceRow.looks,
            OrderEvidenceRow.ts_init,
            OrderEvidenceRow.first_wall,
            OrderEvidenceRow.last_wall,
        )
        .join(OrderRow, OrderRow.id == OrderEvidenceRow.order_id)
        .where(OrderEvidenceRow.order_id.in_(order_ids), scope.allows(OrderRow.user_id))
        .order_by(OrderEvidenceRow.id)
    )
    return session.execute(statement).all()


def _orders(scope: DataScope) -> AnySelect:
    listed = and_(InstrumentRow.as_of == OrderRow.day, InstrumentRow.instrument_id == OrderRow.instrument_id)
    return select_orders(
        scope,
        AccountRow.broker,
        InstrumentRow.currency.label("listed_currency"),
        OrderRow.clean_misses,
        OrderRow.submitted_wall,
    ).outerjoin(InstrumentRow, listed)
