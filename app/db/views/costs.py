"""Read what was executed of a day's orders, and what the brokers say that they took for it."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, func, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.db.models import (
    AccountRow,
    BrokerTradeRow,
    DeploymentRow,
    ExternalFillRow,
    FillRow,
    InstrumentRow,
    OrderRow,
)
from app.db.scope import DataScope
from app.db.views import AnyRow, AnySelect


def read_executed(
    session: Session, scope: DataScope, *, day: date, deployments: Collection[int] | None = None
) -> Sequence[AnyRow]:
    """Return a row per executed order of a day: its turnover, its instrument's terms, its account's settings.

    A person's orders at the broker count where they closed a leg of ours. `deployments` None means all.
    """
    rows: list[AnyRow] = []
    for executed in (_ours(scope, day, deployments), _claimed(scope, day, deployments)):
        rows += session.execute(_with_terms(executed, day))
    return rows


def read_reported_fees(
    session: Session, scope: DataScope, *, day: date, deployments: Collection[int] | None = None
) -> Sequence[AnyRow]:
    """Return what brokers say that they took, and for which quantity: a row per order and currency."""
    statement = (
        select(
            BrokerTradeRow.account_id,
            BrokerTradeRow.broker_order_id,
            BrokerTradeRow.fee_currency,
            func.sum(BrokerTradeRow.fee).label("fee"),
            func.sum(BrokerTradeRow.quantity).label("quantity"),
        )
        .join(AccountRow, AccountRow.id == BrokerTradeRow.account_id)
        .where(
            BrokerTradeRow.day == day,
            BrokerTradeRow.fee.is_not(None),
            scope.allows(AccountRow.user_id),
        )
        .group_by(BrokerTradeRow.account_id, BrokerTradeRow.broker_order_id, BrokerTradeRow.fee_currency)
        .order_by(BrokerTradeRow.account_id, BrokerTradeRow.broker_order_id, BrokerTradeRow.fee_currency)
    )
    if deployments is not None:
        accounts = select(DeploymentRow.account_id).where(DeploymentRow.id.in_(deployments))
        statement = statement.where(BrokerTradeRow.account_id.in_(accounts))
    return session.execute(statement).all()


def _ours(scope: DataScope, day: date, deployments: Collection[int] | None) -> Subquery:
    key = (
        OrderRow.account_id,
        OrderRow.deployment_id,
        OrderRow.instrument_id,
        OrderRow.side,
        OrderRow.broker_order_id,
    )
    return (
        select(
            *key,
            func.sum(FillRow.quantity).label("quantity"),
            func.sum(FillRow.quantity * FillRow.price).label("turnover"),
        )
        .join(FillRow, FillRow.order_id == OrderRow.id)
        .where(
            OrderRow.day == day, scope.allows(OrderRow.user_id), _within(OrderRow.deployment_id, deployments)
        )
        .group_by(OrderRow.id, *key)
        .subquery()
    )


def _claimed(scope: DataScope, day: date, deployments: Collection[int] | None) -> Subquery:
    row = ExternalFillRow
    key = (row.account_id, row.deployment_id, row.instrument_id, row.side, row.broker_order_id)
    return (
        select(
            *key,
            func.sum(row.quantity).label("quantity"),
            func.sum(row.quantity * row.price).label("turnover"),
        )
        .where(
            row.day == day,
            row.deployment_id.is_not(None),
            scope.allows(row.user_id),
            _within(row.deployment_id, deployments),
        )
        .group_by(*key)
        .subquery()
    )


def _within(column: InstrumentedAttribute[Any], ids: Collection[int] | None) -> ColumnElement[bool]:
    return true() if ids is None else column.in_(ids)


def _with_terms(executed: Subquery, day: date) -> AnySelect:
    listed = and_(InstrumentRow.as_of == day, InstrumentRow.instrument_id == executed.c.instrument_id)
    return (
        select(
            executed,
            AccountRow.settings,
            InstrumentRow.kind,
            InstrumentRow.contract_size,
            InstrumentRow.currency,
        )
        .join(AccountRow, AccountRow.id == executed.c.account_id)
        .outerjoin(InstrumentRow, listed)
    )
