"""Keep the evidence of the brokers' books beside our ledger. Callers hold the transaction."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import case, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import AccountRow, BrokerTradeRow, InstrumentRow, OrderRow
from app.db.orders import OPEN_STATUSES
from app.db.shards import in_shard
from app.domain.accounts import TradingState
from app.domain.ids import AccountId, BrokerOrderId
from app.domain.orders import OrderStatus, Side
from app.domain.reports import FillReport


def unresolved_orders(
    session: Session, account_id: AccountId, *, sent_before: datetime
) -> Sequence[OrderRow]:
    """Return orders whose outcome is unknown, or that were claimed and never answered (a crash between)."""
    statement = select(OrderRow).where(
        OrderRow.account_id == account_id,
        OrderRow.status.in_(OPEN_STATUSES),
        OrderRow.broker_order_id.is_(None),
        OrderRow.is_unknown
        | (
            (OrderRow.status == OrderStatus.SUBMITTED)
            & OrderRow.answered_wall.is_(None)
            & (OrderRow.submitted_wall < sent_before)
        ),
    )
    return session.scalars(statement).all()


def revived_orders(
    session: Session, account_id: AccountId, working: Sequence[BrokerOrderId]
) -> Sequence[OrderRow]:
    """Return orders that we hold as ended although they work at the broker: placed after all, too late."""
    statement = select(OrderRow).where(
        OrderRow.account_id == account_id,
        OrderRow.broker_order_id.in_(working),
        OrderRow.status == OrderStatus.REJECTED,
        OrderRow.was_unknown,
        OrderRow.reject_reason.startswith(NOT_PLACED),
    )
    return session.scalars(statement).all()


def accounts_with_doubt(
    session: Session, spec: Mapping[str, Any], *, day: date, older_than: datetime
) -> set[AccountId]:
    """Return the shard's accounts with an order of the day that needs evidence soon."""
    is_pending = OrderRow.status.in_((OrderStatus.PENDING_UPDATE, OrderStatus.PENDING_CANCEL))
    statement = (
        select(OrderRow.account_id)
        .where(
            in_shard(OrderRow.account_id, spec),
            OrderRow.day == day,
            OrderRow.status.in_(OPEN_STATUSES),
            OrderRow.is_unknown
            | ((OrderRow.status == OrderStatus.SUBMITTED) & (OrderRow.submitted_wall < older_than))
            | (is_pending & (OrderRow.changed_wall < older_than)),
        )
        .distinct()
    )
    return {AccountId(i) for i in session.scalars(statement)}


def save_broker_trades(
    session: Session, account_id: AccountId, day: date, fills: Sequence[FillReport]
) -> None:
    """Store the broker's trade book; a trade that is known already changes nothing."""
    rows = [
        {
            "account_id": account_id,
            "day": day,
            "trade_id": fill.trade_id,
            "broker_order_id": fill.broker_order_id,
            "broker_symbol": fill.broker_symbol,
            "side": fill.side,
            "quantity": fill.quantity,
            "price": fill.price,
            "ts_event": fill.ts_event,
        }
        for fill in fills
    ]
    if rows:
        session.execute(insert(BrokerTradeRow).on_conflict_do_nothing(), rows)


def net_positions(session: Session, account_id: AccountId, day: date) -> dict[str, Decimal]:
    """Return our net quantity by the broker's symbol, from the cumulative fills of the day's orders."""
    signed = func.sum(case((OrderRow.side == Side.BUY, OrderRow.filled_qty), else_=-OrderRow.filled_qty))
    statement = (
        select(InstrumentRow.broker_symbol, signed)
        .join(
            InstrumentRow,
            (InstrumentRow.instrument_id == OrderRow.instrument_id) & (InstrumentRow.as_of == OrderRow.day),
        )
        .where(OrderRow.account_id == account_id, OrderRow.day == day, OrderRow.filled_qty > 0)
        .group_by(InstrumentRow.broker_symbol)
    )
    return {symbol: Decimal(quantity) for symbol, quantity in session.execute(statement)}


def reduce_account(session: Session, account_id: AccountId, *, reason: str) -> bool:
    """Let an account only close, until a person says otherwise (I4); return whether that is new."""
    statement = (
        update(AccountRow)
        .where(AccountRow.id == account_id, AccountRow.trading_state == TradingState.ACTIVE)
        .values(trading_state=TradingState.REDUCING, state_reason=reason)
        .returning(AccountRow.id)
    )
    return session.scalar(statement) is not None


NOT_PLACED = "not placed"
"""How the reason of an order begins that was proven absent."""
OVERDUE_AFTER = timedelta(seconds=2)
"""How much longer than the call's own time-out a claimed order may stay without an answer."""
