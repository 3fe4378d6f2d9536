"""Read orders, their events and positions."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Label, and_, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.db.legs import same_leg
from app.db.models import (
    AccountRow,
    DeploymentRow,
    InstrumentRow,
    LegRow,
    OrderEventRow,
    OrderRow,
    SignalRow,
    UserRow,
)
from app.db.scope import DataScope
from app.db.views import AnyRow, AnySelect
from app.domain.ids import OrderId


def select_orders(scope: DataScope, *more: InstrumentedAttribute[Any] | Label[Any]) -> AnySelect:
    """Return the query of orders with the names around them, and more columns if asked for."""
    return (
        select(
            OrderRow.id,
            OrderRow.user_id,
            OrderRow.account_id,
            AccountRow.name.label("account_name"),
            UserRow.name.label("user_name"),
            OrderRow.deployment_id,
            DeploymentRow.name.label("deployment_name"),
            OrderRow.client_order_id,
            OrderRow.broker_order_id,
            OrderRow.instrument_id,
            OrderRow.side,
            OrderRow.role,
            OrderRow.order_type,
            OrderRow.quantity,
            OrderRow.price,
            OrderRow.trigger_price,
            OrderRow.filled_qty,
            OrderRow.avg_px,
            OrderRow.status,
            OrderRow.is_unknown,
            OrderRow.denial_code,
            OrderRow.reject_reason,
            OrderRow.reason,
            OrderRow.ts_init,
            OrderRow.updated_at,
            *more,
        )
        .join(AccountRow, AccountRow.id == OrderRow.account_id)
        .join(UserRow, UserRow.id == OrderRow.user_id)
        .join(DeploymentRow, DeploymentRow.id == OrderRow.deployment_id)
        .where(scope.allows(OrderRow.user_id))
    )


def read_orders(
    session: Session, scope: DataScope, *, day: date, before: int | None, limit: int
) -> Sequence[AnyRow]:
    """Return a page of the day's orders, newest first, below the cursor `before` (an order id)."""
    statement = select_orders(scope).where(OrderRow.day == day).order_by(OrderRow.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(OrderRow.id < before)
    return session.execute(statement).all()


def read_changed_orders(
    session: Session, scope: DataScope, *, day: date, since: datetime | None
) -> Sequence[AnyRow]:
    """Return the day's orders that changed at or after the machine time `since`; None means all."""
    statement = select_orders(scope).where(OrderRow.day == day).order_by(OrderRow.id)
    if since is not None:
        statement = statement.where(OrderRow.updated_at >= since)
    return session.execute(statement).all()


def read_order(session: Session, scope: DataScope, order_id: OrderId) -> AnyRow | None:
    """Return one order, or None when it is not in the scope."""
    return session.execute(select_orders(scope).where(OrderRow.id == order_id)).one_or_none()


def read_order_events(session: Session, scope: DataScope, order_id: OrderId) -> Sequence[AnyRow]:
    """Return what happened to an order, oldest first."""
    statement = (
        select(
            OrderEventRow.id,
            OrderEventRow.kind,
            OrderEventRow.source,
            OrderEventRow.details,
            OrderEventRow.ts_init,
            OrderEventRow.wall,
        )
        .join(OrderRow, OrderRow.id == OrderEventRow.order_id)
        .where(OrderEventRow.order_id == order_id, scope.allows(OrderRow.user_id))
        .order_by(OrderEventRow.id)
    )
    return session.execute(statement).all()


def read_legs_of_signal(session: Session, scope: DataScope, order_id: OrderId) -> Sequence[AnyRow]:
    """Return how each leg of the signal of an entry went, with the result of the whole; none for an exit."""
    signal_id = select(OrderRow.signal_id).where(OrderRow.id == order_id).scalar_subquery()
    statement = (
        select(
            OrderRow.leg,
            OrderRow.is_hedge,
            OrderRow.instrument_id,
            OrderRow.side,
            func.sum(OrderRow.quantity).label("quantity"),
            func.sum(OrderRow.filled_qty).label("filled_qty"),
            func.coalesce(LegRow.net_qty, 0).label("net_qty"),
            LegRow.exit_reason,
            func.max(OrderRow.denial_code).label("withheld"),
            SignalRow.result,
        )
        .join(SignalRow, SignalRow.id == OrderRow.signal_id)
        .outerjoin(LegRow, same_leg())
        .where(OrderRow.signal_id == signal_id, scope.allows(OrderRow.user_id))
        .group_by(
            OrderRow.leg,
            OrderRow.is_hedge,
            OrderRow.instrument_id,
            OrderRow.side,
            LegRow.net_qty,
            LegRow.exit_reason,
            SignalRow.result,
        )
        .order_by(OrderRow.leg)
    )
    return session.execute(statement).all()


def count_orders(session: Session, scope: DataScope, *, day: date) -> Sequence[AnyRow]:
    """Return (status, is_unknown, n) of the day's orders."""
    statement = (
        select(OrderRow.status, OrderRow.is_unknown, func.count().label("n"))
        .where(OrderRow.day == day, scope.allows(OrderRow.user_id))
        .group_by(OrderRow.status, OrderRow.is_unknown)
    )
    return session.execute(statement).all()


def read_legs(
    session: Session, scope: DataScope, *, day: date, since: datetime | None = None
) -> Sequence[AnyRow]:
    """Return the day's legs: positions with their protection; changed since `since`, None means all."""
    statement = (
        select(
            LegRow.deployment_id,
            LegRow.instrument_id,
            LegRow.user_id,
            LegRow.account_id,
            AccountRow.name.label("account_name"),
            UserRow.name.label("user_name"),
            DeploymentRow.name.label("deployment_name"),
            LegRow.net_qty,
            func.coalesce(LegRow.entry_value / func.nullif(LegRow.entry_qty, 0), 0).label("entry_px"),
            LegRow.cash,
            LegRow.exit_reason,
            LegRow.exposed_since,
            InstrumentRow.currency,
        )
        .join(AccountRow, AccountRow.id == LegRow.account_id)
        .join(UserRow, UserRow.id == LegRow.user_id)
        .join(DeploymentRow, DeploymentRow.id == LegRow.deployment_id)
        .outerjoin(
            InstrumentRow,
            and_(InstrumentRow.as_of == LegRow.day, InstrumentRow.instrument_id == LegRow.instrument_id),
        )
        .where(LegRow.day == day, scope.allows(LegRow.user_id))
        .order_by(LegRow.deployment_id, LegRow.instrument_id)
    )
    if since is not None:
        statement = statement.where(LegRow.updated_at >= since)
    return session.execute(statement).all()
