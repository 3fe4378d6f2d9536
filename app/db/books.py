"""Keep the evidence of the brokers' books beside our ledger. Callers hold the transaction."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import Date, DateTime, Select, bindparam, case, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.external_fills import external_positions, holdings_of, quarantined_positions
from app.db.legs import lock_legs
from app.db.models import (
    AccountRow,
    BrokerTradeRow,
    ExternalFillRow,
    FillRow,
    InstrumentRow,
    LegRow,
    OrderRow,
)
from app.db.orders import OPEN_STATUSES
from app.db.shards import Shard, is_in, shard_of
from app.domain.accounts import TradingState
from app.domain.ids import AccountId, BrokerOrderId, DeploymentId
from app.domain.numbers import ZERO
from app.domain.orders import OrderRole, OrderStatus, Side
from app.domain.reconciliation import attribute
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


def has_given_up_exit(session: Session, order: OrderRow) -> bool:
    """Whether an exit of this order's leg was proven not to have been placed."""
    given_up = exists().where(
        OrderRow.deployment_id == order.deployment_id,
        OrderRow.day == order.day,
        OrderRow.instrument_id == order.instrument_id,
        OrderRow.role != OrderRole.ENTRY,
        OrderRow.status == OrderStatus.REJECTED,
        OrderRow.reject_reason.startswith(NOT_PLACED),
    )
    return session.scalar(select(given_up)) is True


def accounts_with_doubt(
    session: Session, spec: Mapping[str, Any], *, day: date, older_than: datetime
) -> set[AccountId]:
    """Return the shard's accounts with an order of the day that needs evidence soon."""
    asked = {"of_day": day, "older_than": older_than}
    return {AccountId(i) for i in session.scalars(_with_doubt(shard_of(spec)), asked)}


@cache
def _with_doubt(shard: Shard) -> Select[int]:
    is_pending = OrderRow.status.in_((OrderStatus.PENDING_UPDATE, OrderStatus.PENDING_CANCEL))
    older_than = bindparam("older_than", type_=DateTime(timezone=True))
    return (
        select(OrderRow.account_id)
        .where(
            is_in(shard, OrderRow.account_id),
            OrderRow.day == bindparam("of_day", type_=Date()),
            OrderRow.status.in_(OPEN_STATUSES),
            OrderRow.is_unknown
            | ((OrderRow.status == OrderStatus.SUBMITTED) & (OrderRow.submitted_wall < older_than))
            | (is_pending & (OrderRow.changed_wall < older_than)),
        )
        .distinct()
    )


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
            "fee": None if fill.fee is None else fill.fee.amount,
            "fee_currency": None if fill.fee is None else fill.fee.currency,
        }
        for fill in fills
    ]
    if rows:
        session.execute(insert(BrokerTradeRow).on_conflict_do_nothing(), rows)


def net_positions(session: Session, account_id: AccountId, day: date) -> dict[str, Decimal]:
    """Return the net quantity that we know of by the broker's symbol: our orders' fills and strangers'."""
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
    net = {symbol: Decimal(quantity) for symbol, quantity in session.execute(statement)}
    for symbol, quantity in external_positions(session, account_id, day).items():
        net[symbol] = net.get(symbol, ZERO) + quantity
    return net


def last_fills(session: Session, account_id: AccountId, day: date) -> dict[str, datetime]:
    """Return when (machine time) a fill of the day was last booked, ours or a stranger's, by symbol."""
    listed = (InstrumentRow.as_of == day) & (InstrumentRow.instrument_id == FillRow.instrument_id)
    ours = (
        select(InstrumentRow.broker_symbol, func.max(FillRow.wall))
        .join(OrderRow, OrderRow.id == FillRow.order_id)
        .join(InstrumentRow, listed)
        .where(FillRow.account_id == account_id, OrderRow.day == day)
        .group_by(InstrumentRow.broker_symbol)
    )
    strangers = (
        select(ExternalFillRow.broker_symbol, func.max(ExternalFillRow.wall))
        .where(ExternalFillRow.account_id == account_id, ExternalFillRow.day == day)
        .group_by(ExternalFillRow.broker_symbol)
    )
    last: dict[str, datetime] = {}
    for symbol, wall in (*session.execute(ours), *session.execute(strangers)):
        last[symbol] = max(wall, last.get(symbol, wall))
    return last


def note_missing(
    session: Session,
    account_id: AccountId,
    day: date,
    *,
    proven: Mapping[str, Decimal],
    doubtful: Collection[str] = (),
) -> list[LegRow]:
    """Write what of the account's legs the broker's book does not hold; return the legs that changed.

    Args:
        session: the transaction.
        account_id: whose.
        day: the trading date.
        proven: the broker's net quantity less ours by symbol, where it is proven.
        doubtful: symbols that differ without a proof: their legs stay as they are. All others agree.
    """
    symbols = _symbols(session, day, {*proven, *doubtful})
    legs = lock_legs(
        session,
        LegRow.account_id == account_id,
        LegRow.day == day,
        or_(LegRow.missing_qty != 0, LegRow.instrument_id.in_(symbols)),
    )
    missing = _missing(session, legs, symbols, account_id=account_id, day=day, proven=proven)
    changed = []
    for leg in legs:
        quantity = missing.get((leg.deployment_id, leg.instrument_id), ZERO)
        if symbols.get(leg.instrument_id) in doubtful or leg.missing_qty == quantity:
            continue
        leg.missing_qty = quantity
        if quantity >= abs(leg.net_qty):
            leg.exposed_since = None  # nothing is there that could be protected
        changed.append(leg)
    return changed


def _symbols(session: Session, day: date, symbols: Collection[str]) -> dict[str, str]:
    """Return the broker's symbol by instrument, of these symbols."""
    if not symbols:
        return {}
    statement = select(InstrumentRow.instrument_id, InstrumentRow.broker_symbol).where(
        InstrumentRow.as_of == day, InstrumentRow.broker_symbol.in_(symbols)
    )
    return {instrument_id: symbol for instrument_id, symbol in session.execute(statement)}  # noqa: C416  rows


def _missing(
    session: Session,
    legs: Sequence[LegRow],
    symbols: Mapping[str, str],
    *,
    account_id: AccountId,
    day: date,
    proven: Mapping[str, Decimal],
) -> dict[tuple[int, str], Decimal]:
    quarantined = quarantined_positions(session, account_id, day) if proven else {}
    found: dict[tuple[int, str], Decimal] = {}
    for instrument_id, symbol in symbols.items():
        holders = {DeploymentId(leg.deployment_id): leg for leg in legs if leg.instrument_id == instrument_id}
        shares = attribute(
            proven.get(symbol, ZERO), holdings_of(holders), quarantined=quarantined.get(symbol, ZERO)
        )
        for share in shares:
            if share.deployment_id is not None:
                found[share.deployment_id, instrument_id] = abs(share.quantity)
    return found


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
