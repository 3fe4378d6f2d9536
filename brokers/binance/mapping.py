"""Turn Binance's rows into our words. Pure; a value that is not understood raises ProtocolError."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from app.domain.errors import ProtocolError
from app.domain.ids import TradeId
from app.domain.instruments import Instrument
from app.domain.market_data import Tick
from app.domain.markets import Currency, Money
from app.domain.numbers import ZERO
from app.domain.orders import OrderStatus, Side
from app.domain.reports import Balance, FillReport, FundingReport, OrderReport, PositionReport
from brokers.binance.refs import OrderRef
from brokers.binance.values import (
    Row,
    amount,
    average,
    flag,
    milliseconds,
    moment,
    number,
    one_of,
    optional_amount,
    optional_text,
    text,
    whole,
)

CURRENCY = "USDT"
"""The currency in which an account's money is told; other coins are not counted."""

SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
STATUSES = {
    "PENDING_NEW": OrderStatus.SUBMITTED,
    "NEW": OrderStatus.ACCEPTED,
    # A liquidation that the insurance fund or other traders take over (futures).
    "NEW_INSURANCE": OrderStatus.ACCEPTED,
    "NEW_ADL": OrderStatus.ACCEPTED,
    "PARTIALLY_FILLED": OrderStatus.PARTIALLY_FILLED,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELED,
    "PENDING_CANCEL": OrderStatus.PENDING_CANCEL,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,
}
_SPOT_STOPS = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
ORDER_TYPES = _SPOT_STOPS | {
    "LIMIT",
    "MARKET",
    "LIMIT_MAKER",
    "STOP",
    "STOP_MARKET",
    "TAKE_PROFIT_MARKET",
    "TRAILING_STOP_MARKET",
    "LIQUIDATION",
}
FUNDING = "FUNDING_FEE"
_FUNDINGS = frozenset({FUNDING})
_POSITION_SIDES = frozenset({"BOTH", "LONG", "SHORT"})
# Within one millisecond an order is first new and then ended: the rank keeps that order in the version.
_RANKS = {
    OrderStatus.SUBMITTED: 0,
    OrderStatus.ACCEPTED: 1,
    OrderStatus.TRIGGERED: 2,
    OrderStatus.PARTIALLY_FILLED: 3,
    OrderStatus.PENDING_CANCEL: 4,
}
_LAST_RANK = 9


def quote(row: Row, instrument: Instrument, *, now: datetime) -> Tick | None:
    """Return the top of a symbol's book as a tick, its middle as the price; None with an empty side."""
    if text(row, "symbol") != instrument.broker_symbol:
        raise ProtocolError(f"expected the book of {instrument.broker_symbol}, got {row.get('symbol')!r:.40}")
    bid, ask = optional_amount(row, "bidPrice"), optional_amount(row, "askPrice")
    if bid is None or ask is None:
        return None
    return Tick(
        instrument_id=instrument.instrument_id,
        last=(bid + ask) / 2,
        bid=bid,
        ask=ask,
        ts_event=now,
        ts_init=now,
        sequence=0,
    )


def version(ms: int, status: OrderStatus) -> int:
    """Return a number that grows with each change of an order, the same from a read and from the stream."""
    return ms * 10 + _RANKS.get(status, _LAST_RANK)


def order_status(
    word: str, *, filled: Decimal, quantity: Decimal, is_stop_on_book: bool = False
) -> OrderStatus:
    """Return our status; a fill count that contradicts the word raises ProtocolError."""
    status = STATUSES[word]
    if not 0 <= filled <= quantity or (status is OrderStatus.FILLED) != (0 < filled == quantity):
        is_ended = status.is_terminal and status is not OrderStatus.FILLED
        if not (is_ended and 0 <= filled <= quantity):
            raise ProtocolError(f"{word}: expected a fitting fill count, got {filled} of {quantity}")
    if status is OrderStatus.ACCEPTED and filled > 0:
        return OrderStatus.PARTIALLY_FILLED
    if status is OrderStatus.ACCEPTED and is_stop_on_book:
        return OrderStatus.TRIGGERED
    return status


def order_report(row: Row) -> OrderReport:
    """Return an order row of a REST reply as a report; spot and futures rows differ in a few fields.

    Source: brokers.md 2.4; order endpoints of both documentations.
    """
    kind = one_of(row, "type", ORDER_TYPES)
    filled = amount(row, "executedQty")
    quantity = max(amount(row, "origQty"), filled)
    status = order_status(
        one_of(row, "status", STATUSES),
        filled=filled,
        quantity=quantity,
        is_stop_on_book=kind in _SPOT_STOPS and "isWorking" in row and flag(row, "isWorking"),
    )
    ms = milliseconds(row, "updateTime")
    return OrderReport(
        broker_order_id=OrderRef(symbol(row, "symbol"), whole(row, "orderId")).broker_order_id,
        tag=optional_text(row, "clientOrderId"),
        broker_symbol=symbol(row, "symbol"),
        side=SIDES[one_of(row, "side", SIDES)],
        quantity=quantity,
        filled=filled,
        avg_px=_average_price(row, filled),
        price=optional_amount(row, "price"),
        trigger_price=optional_amount(row, "stopPrice"),
        status=status,
        reject_reason="" if status is not OrderStatus.REJECTED else "rejected by the matching engine",
        version=version(ms, status),
        updated_at=moment(ms),
    )


def _average_price(row: Row, filled: Decimal) -> Decimal | None:
    if "avgPrice" in row:
        return optional_amount(row, "avgPrice")
    return average(number(row, "cummulativeQuoteQty"), filled)


def symbol(row: Row, key: str) -> str:
    """Return a symbol; a dash or blank in it would break the names of orders."""
    name = text(row, key)
    if len(name) > 40 or "-" in name or any(letter.isspace() for letter in name):
        raise ProtocolError(f"{key}: expected a symbol, got {name[:60]!r}")
    return name


def fill_report(row: Row) -> FillReport:
    """Return a row of myTrades (spot) or userTrades (futures) as a fill."""
    quantity, price, name = amount(row, "qty"), amount(row, "price"), symbol(row, "symbol")
    if quantity == 0 or price == 0:
        raise ProtocolError(f"trade {row.get('id')}: expected a positive fill, got {quantity} at {price}")
    if "side" in row:
        side = SIDES[one_of(row, "side", SIDES)]
    else:
        side = Side.BUY if flag(row, "isBuyer") else Side.SELL
    return FillReport(
        trade_id=TradeId(f"{name}-{whole(row, 'id')}"),
        broker_order_id=OrderRef(name, whole(row, "orderId")).broker_order_id,
        broker_symbol=name,
        side=side,
        quantity=quantity,
        price=price,
        ts_event=moment(milliseconds(row, "time")),
        fee=_fee(row),
    )


def _fee(row: Row) -> Money | None:
    """Return what Binance took, in the asset that it took it in; a rebate is negative."""
    if "commission" not in row:
        return None
    return Money(amount=number(row, "commission"), currency=Currency(text(row, "commissionAsset")))


def funding(row: Row) -> FundingReport:
    """Return one row of the income history as a funding; Binance writes what it takes with a minus."""
    one_of(row, "incomeType", _FUNDINGS)
    income = Money(amount=number(row, "income"), currency=Currency(text(row, "asset")))
    return FundingReport(
        ref=str(whole(row, "tranId")),
        broker_symbol=symbol(row, "symbol"),
        taken=Money(amount=-income.amount, currency=income.currency),
        ts_event=moment(milliseconds(row, "time")),
    )


def bought_today(fills: Iterable[FillReport]) -> tuple[PositionReport, ...]:
    """Return what today's fills of a spot account leave, one position per symbol.

    Spot knows balances of coins, not positions, and a coin may have been there before: only the venue's
    own list of trades tells what was opened today. Fees that are taken in the coin are not subtracted.
    """
    net: dict[str, Decimal] = {}
    for fill in fills:
        net[fill.broker_symbol] = net.get(fill.broker_symbol, ZERO) + fill.side.sign * fill.quantity
    return tuple(PositionReport(broker_symbol=name, net_qty=qty) for name, qty in net.items())


def futures_positions(rows: Iterable[Row]) -> tuple[PositionReport, ...]:
    """Return the rows of positionRisk as one net position per symbol; hedge-mode sides add up."""
    net: dict[str, Decimal] = {}
    for row in rows:
        one_of(row, "positionSide", _POSITION_SIDES)
        name = symbol(row, "symbol")
        net[name] = net.get(name, ZERO) + number(row, "positionAmt")
    return tuple(PositionReport(broker_symbol=name, net_qty=qty) for name, qty in net.items())


def spot_balance(body: Row) -> Balance:
    """Return the account reply's money: free and locked."""
    rows = body.get("balances")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProtocolError(f"balances: expected a list of objects, got {type(rows).__name__}")
    for row in rows:
        if text(row, "asset") == CURRENCY:
            return Balance(available=amount(row, "free"), used=amount(row, "locked"))
    return Balance(available=ZERO, used=ZERO)


def futures_balance(rows: Iterable[Row]) -> Balance:
    """Return the balance rows' money: what may be used, and what of the wallet is bound."""
    for row in rows:
        if text(row, "asset") == CURRENCY:
            wallet, available = number(row, "balance"), number(row, "availableBalance")
            return Balance(available=available, used=max(wallet - available, ZERO))
    return Balance(available=ZERO, used=ZERO)
