"""Turn the terminal's records into our words. Pure; a value that is not understood raises ProtocolError."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum

from app.domain.errors import ProtocolError
from app.domain.ids import BrokerOrderId, TradeId
from app.domain.markets import Currency, Money
from app.domain.orders import OrderStatus, OrderType, Side
from app.domain.reports import Balance, FillReport, OrderReport, PositionReport
from brokers.mt5.server_time import ServerClock
from brokers.mt5.tags import tag_of
from brokers.mt5.values import Row, name_of, not_negative, number, positive, text, trimmed, whole


class OrderState(IntEnum):
    """Name the states of an order in the terminal."""

    STARTED = 0
    PLACED = 1
    CANCELED = 2
    PARTIAL = 3
    FILLED = 4
    REJECTED = 5
    EXPIRED = 6
    REQUEST_ADD = 7
    REQUEST_MODIFY = 8
    REQUEST_CANCEL = 9


STATUSES: dict[OrderState, OrderStatus] = {
    OrderState.STARTED: OrderStatus.SUBMITTED,
    OrderState.PLACED: OrderStatus.ACCEPTED,
    OrderState.CANCELED: OrderStatus.CANCELED,
    OrderState.PARTIAL: OrderStatus.PARTIALLY_FILLED,
    OrderState.FILLED: OrderStatus.FILLED,
    OrderState.REJECTED: OrderStatus.REJECTED,
    OrderState.EXPIRED: OrderStatus.EXPIRED,
    OrderState.REQUEST_ADD: OrderStatus.SUBMITTED,
    OrderState.REQUEST_MODIFY: OrderStatus.PENDING_UPDATE,
    OrderState.REQUEST_CANCEL: OrderStatus.PENDING_CANCEL,
}

# The terminal's order types; stop-limit and close-by belong to orders that a person placed.
_TYPES: dict[int, tuple[Side, OrderType]] = {
    0: (Side.BUY, OrderType.MARKET),
    1: (Side.SELL, OrderType.MARKET),
    2: (Side.BUY, OrderType.LIMIT),
    3: (Side.SELL, OrderType.LIMIT),
    4: (Side.BUY, OrderType.STOP_MARKET),
    5: (Side.SELL, OrderType.STOP_MARKET),
    6: (Side.BUY, OrderType.STOP_LIMIT),
    7: (Side.SELL, OrderType.STOP_LIMIT),
}
_CLOSE_BY = 8
_SIDES = {0: Side.BUY, 1: Side.SELL}
# Deposits, credits, commissions, dividends, taxes: money, but no fill (MQL5 reference, ENUM_DEAL_TYPE).
_MONEY_DEALS = frozenset(range(2, 19))
_ENTRIES = frozenset({0, 1, 2, 3})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Hold units of one lot by symbol. Volumes travel in lots, our quantities in units."""

    by_symbol: Mapping[str, Decimal]

    def units(self, symbol: str, lots: Decimal) -> Decimal:
        """Return lots of a symbol in units; raises ProtocolError when its lot is not known."""
        size = self.by_symbol.get(symbol)
        if size is None:
            raise ProtocolError(f"contract_sizes: expected the lot of {symbol[:40]!r}, got none")
        return trimmed(lots * size)


def sizes(body: Row) -> Sizes:
    """Return the contract sizes that came with a reply."""
    found = body.get("contract_sizes")
    if not isinstance(found, dict):
        raise ProtocolError(f"contract_sizes: expected an object, got {found!r:.60}")
    return Sizes(by_symbol={name: positive(found, name) for name in found})


def order_report(row: Row, *, sizes: Sizes, clock: ServerClock, avg_px: Decimal | None) -> OrderReport:
    """Return an order, working or ended, as a report. `avg_px` comes from its deals.

    Source: brokers.md 3.4.
    """
    side, kind = _kind(row)
    symbol, ticket = name_of(row, "symbol"), _ticket(row, "ticket")
    initial, left = positive(row, "volume_initial"), not_negative(row, "volume_current")
    if left > initial:
        raise ProtocolError(f"order {ticket}: expected at most {initial} lots left, got {left}")
    filled = initial - left
    done_ms = _optional_ms(row, "time_done_msc")
    status = order_status(whole(row, "state"), initial=initial, filled=filled, is_done=done_ms is not None)
    price, trigger = _prices(row, kind)
    return OrderReport(
        broker_order_id=BrokerOrderId(str(ticket)),
        tag=tag_of(whole(row, "magic"), text(row, "comment")),
        broker_symbol=symbol,
        side=side,
        quantity=sizes.units(symbol, initial),
        filled=sizes.units(symbol, filled),
        avg_px=avg_px if filled else None,
        price=price,
        trigger_price=trigger,
        status=status,
        reject_reason=text(row, "comment") or "rejected" if status is OrderStatus.REJECTED else "",
        version=whole(row, "revision"),
        updated_at=clock.to_utc(done_ms or whole(row, "time_setup_msc")),
    )


def order_status(state: int, *, initial: Decimal, filled: Decimal, is_done: bool) -> OrderStatus:
    """Return our status for a terminal's order state; the volumes decide how far it is filled."""
    try:
        status = STATUSES[OrderState(state)]
    except ValueError as e:
        raise ProtocolError(f"state: expected 0 to 9, got {state}") from e
    if status is OrderStatus.FILLED and filled < initial:
        return OrderStatus.PARTIALLY_FILLED if not is_done else OrderStatus.CANCELED
    if filled == initial and not (status.is_terminal and filled == 0):
        return OrderStatus.FILLED
    if is_done and status is OrderStatus.PARTIALLY_FILLED:
        return OrderStatus.CANCELED
    if status is OrderStatus.ACCEPTED and filled > 0:
        return OrderStatus.PARTIALLY_FILLED
    return status


def fill_report(
    row: Row, *, sizes: Sizes, clock: ServerClock, currency: Currency | None = None
) -> FillReport | None:
    """Return a deal as a fill, or None for a deal that moved money only; the ticket tells deals apart.

    Args: currency: the account's, in which deals are charged; None where the reply does not tell it.
    """
    kind = whole(row, "type")
    if kind in _MONEY_DEALS:
        return None
    if kind not in _SIDES or whole(row, "entry") not in _ENTRIES:
        raise ProtocolError(
            f"deal {row.get('ticket')!r:.20}: expected type 0 to 18 and entry 0 to 3, "
            f"got {kind} and {row.get('entry')!r:.20}"
        )
    symbol = name_of(row, "symbol")
    return FillReport(
        trade_id=TradeId(str(_ticket(row, "ticket"))),
        broker_order_id=BrokerOrderId(str(_ticket(row, "order"))),
        broker_symbol=symbol,
        side=_SIDES[kind],
        quantity=sizes.units(symbol, positive(row, "volume")),
        price=positive(row, "price"),
        ts_event=clock.to_utc(whole(row, "time_msc")),
        fee=None if currency is None or "commission" not in row else _fee(row, currency),
        swap=None if currency is None else _swap(row, currency),
    )


def account_currency(body: Row) -> Currency | None:
    """Return the currency of the account that came with a reply, None where none did."""
    account = body.get("account")
    # Without it fees are reckoned from rates; orders and fills are no less readable.
    code = account.get("currency") if isinstance(account, dict) else None
    return Currency(code) if isinstance(code, str) and code else None


def _fee(row: Row, currency: Currency) -> Money:
    """Return commission and fee of a deal; the terminal writes what it takes with a minus."""
    taken = number(row, "commission") + (number(row, "fee") if "fee" in row else 0)
    return Money(amount=-taken, currency=currency)


def _swap(row: Row, currency: Currency) -> Money | None:
    """Return what a closing deal took for the nights, None where there were none or it is not told."""
    given = number(row, "swap") if "swap" in row else Decimal(0)
    return Money(amount=-given, currency=currency) if given else None


def average_prices(fills: Iterable[FillReport]) -> dict[BrokerOrderId, Decimal]:
    """Return the average price of each order's fills."""
    sums: dict[BrokerOrderId, tuple[Decimal, Decimal]] = {}
    for fill in fills:
        quantity, value = sums.get(fill.broker_order_id, (Decimal(0), Decimal(0)))
        sums[fill.broker_order_id] = (quantity + fill.quantity, value + fill.quantity * fill.price)
    return {order_id: value / quantity for order_id, (quantity, value) in sums.items()}


def net_positions(rows: Sequence[Row], *, sizes: Sizes) -> tuple[PositionReport, ...]:
    """Return one net position for each symbol: a hedging account keeps several."""
    net: dict[str, Decimal] = {}
    for row in rows:
        side = whole(row, "type")
        if side not in _SIDES:
            raise ProtocolError(f"position {row.get('ticket')!r:.20}: expected type 0 or 1, got {side}")
        symbol = name_of(row, "symbol")
        lots = positive(row, "volume") * _SIDES[side].sign
        net[symbol] = net.get(symbol, Decimal(0)) + sizes.units(symbol, lots)
    return tuple(PositionReport(broker_symbol=symbol, net_qty=qty) for symbol, qty in net.items())


def balance(account: Row) -> Balance:
    """Return the account's free margin and used margin, in the account's currency."""
    return Balance(available=number(account, "margin_free"), used=not_negative(account, "margin"))


def _kind(row: Row) -> tuple[Side, OrderType]:
    code = whole(row, "type")
    if code == _CLOSE_BY:
        # It closes two positions against each other; its deals tell the sides.
        return Side.BUY, OrderType.MARKET
    if code not in _TYPES:
        raise ProtocolError(f"type: expected 0 to 8, got {code}")
    return _TYPES[code]


def _prices(row: Row, kind: OrderType) -> tuple[Decimal | None, Decimal | None]:
    price = not_negative(row, "price_open") or None
    match kind:
        case OrderType.MARKET:
            return None, None
        case OrderType.LIMIT:
            return price, None
        case OrderType.STOP_MARKET:
            return None, price
        case OrderType.STOP_LIMIT:
            return not_negative(row, "price_stoplimit") or None, price


def _ticket(row: Row, name: str) -> int:
    ticket = whole(row, name)
    if ticket <= 0:
        raise ProtocolError(f"{name}: expected a ticket, got {ticket}")
    return ticket


def _optional_ms(row: Row, name: str) -> int | None:
    value = whole(row, name)
    return value if value > 0 else None
