"""Read how the accounts that follow one signal were sized and filled."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from app.db.models import AccountRow, DeploymentRow, InstrumentRow, OrderRow, SignalRow, UserRow
from app.db.scope import DataScope
from app.db.views import AnyRow
from app.domain.orders import OrderRole


def last_signal_day(session: Session, scope: DataScope) -> date | None:
    """Return the last day on which anything was wished, None before the first."""
    return session.scalar(select(func.max(SignalRow.day)).where(scope.allows(SignalRow.user_id)))


def read_shares(session: Session, scope: DataScope, *, day: date) -> Sequence[AnyRow]:
    """Return a row per leg of each entry signal of a day: wished, sized and filled, in units."""
    key = (
        DeploymentRow.strategy,
        SignalRow.key,
        OrderRow.leg,
        OrderRow.instrument_id,
        UserRow.name.label("user_name"),
        AccountRow.name.label("account_name"),
        DeploymentRow.id.label("deployment_id"),
        DeploymentRow.name.label("deployment_name"),
        DeploymentRow.sizing,
        SignalRow.payload,
        InstrumentRow.lot_size,
    )
    statement = (
        select(
            *key,
            func.sum(OrderRow.quantity).label("quantity"),
            func.sum(OrderRow.filled_qty).label("filled_qty"),
            func.max(OrderRow.denial_code).label("denial_code"),
        )
        .join(SignalRow, SignalRow.id == OrderRow.signal_id)
        .join(DeploymentRow, DeploymentRow.id == OrderRow.deployment_id)
        .join(AccountRow, AccountRow.id == OrderRow.account_id)
        .join(UserRow, UserRow.id == OrderRow.user_id)
        .join(
            InstrumentRow,
            and_(InstrumentRow.as_of == OrderRow.day, InstrumentRow.instrument_id == OrderRow.instrument_id),
        )
        .where(OrderRow.day == day, OrderRow.role == OrderRole.ENTRY, scope.allows(OrderRow.user_id))
        .group_by(*key)
        .order_by(DeploymentRow.strategy, SignalRow.key, OrderRow.leg)
    )
    return session.execute(statement).all()
