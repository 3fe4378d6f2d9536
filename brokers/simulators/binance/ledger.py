"""Keep one account's orders, fills, balances and futures positions."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from brokers.simulators.binance.orders import ZERO, AlgoOrder, Fill, Order
from brokers.simulators.binance.symbols import BASE, FUTURES, QUOTE, SPOT

DEFAULT_LEVERAGE = 20


@dataclass(slots=True, kw_only=True)
class Position:
    """One futures position in one-way mode: signed quantity in base, prices in quote currency."""

    symbol: str
    qty: Decimal = ZERO
    entry: Decimal = ZERO
    realized: Decimal = ZERO
    updated_ms: int = 0

    def apply(self, signed_qty: Decimal, price: Decimal) -> Decimal:
        """Fold a fill in and return the profit that it realized."""
        closing = min(abs(self.qty), abs(signed_qty)) if self.qty * signed_qty < 0 else ZERO
        profit = closing * (price - self.entry) * (1 if self.qty > 0 else -1)
        opening = abs(signed_qty) - closing
        after = self.qty + signed_qty
        if closing == 0:
            self.entry = (abs(self.qty) * self.entry + opening * price) / abs(after) if after else ZERO
        elif opening > 0:
            self.entry = price
        elif after == 0:
            self.entry = ZERO
        self.qty = after
        self.realized += profit
        return profit


@dataclass(frozen=True, slots=True, kw_only=True)
class Funding:
    """One funding of one position: what the account got, negative when it paid."""

    number: int
    symbol: str
    income: Decimal
    at_ms: int


@dataclass(slots=True, kw_only=True)
class OrderList:
    """One OCO pair: the second leg's end follows the first one's fill or trigger."""

    account: str
    number: int
    client_id: str
    symbol: str
    legs: list[Order]
    created_ms: int

    @property
    def done(self) -> bool:
        """Return whether both legs have ended."""
        return all(leg.done for leg in self.legs)


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Everything one account has and did."""

    account: str
    balances: dict[str, Decimal]  # spot, free and locked together
    futures_usdt: Decimal
    positions: dict[str, Position] = field(default_factory=dict)
    leverage: dict[str, int] = field(default_factory=dict)
    margin_types: dict[str, str] = field(default_factory=dict)
    hedge: bool = False
    orders: dict[int, Order] = field(default_factory=dict)
    live: dict[int, Order] = field(default_factory=dict)  # those that have not ended
    named: dict[tuple[str, str], list[Order]] = field(default_factory=dict)  # by market and client id
    algos: dict[int, AlgoOrder] = field(default_factory=dict)
    lists: dict[int, OrderList] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    fundings: list[Funding] = field(default_factory=list)
    countdowns: dict[str, float] = field(default_factory=dict)  # symbol -> monotonic instant

    def add(self, order: Order) -> None:
        """Take in a new order."""
        self.orders[order.number] = self.live[order.number] = order
        self.named.setdefault((order.market, order.client_id), []).append(order)

    def open_orders(self, market: str) -> Iterator[Order]:
        """Yield the orders that have not ended."""
        return (order for order in self.live.values() if order.market == market)

    def find_order(self, market: str, number: int | None, client_id: str | None) -> Order | None:
        """Return the order of a number, or the newest one of a client id, an open one first."""
        if number is not None:
            order = self.orders.get(number)
            return order if order is not None and order.market == market else None
        found = self.named.get((market, client_id or ""), [])
        return max(found, key=lambda item: (not item.done, item.number), default=None)

    def find_algo(self, number: int | None, client_id: str | None) -> AlgoOrder | None:
        """Return the algo order of a number, or the newest one of a client id."""
        if number is not None:
            return self.algos.get(number)
        found = [item for item in self.algos.values() if item.client_id == client_id]
        return max(found, key=lambda item: item.number, default=None)

    def locked(self) -> dict[str, Decimal]:
        """Return what open spot orders hold back, by asset; the legs of a pair hold it once."""
        held: dict[tuple[str, int], Decimal] = {}
        for order in self.open_orders(SPOT):
            asset, amount = (BASE, order.leaves) if order.side == "SELL" else (QUOTE, _cost(order))
            unit = order.list_number if order.list_number >= 0 else -1 - order.number
            held[asset, unit] = max(held.get((asset, unit), ZERO), amount)
        sums: dict[str, Decimal] = {}
        for (asset, _unit), amount in held.items():
            sums[asset] = sums.get(asset, ZERO) + amount
        return sums

    def free(self, asset: str) -> Decimal:
        """Return what a new spot order may use."""
        return self.balances.get(asset, ZERO) - self.locked().get(asset, ZERO)

    def settle_spot(self, fill: Fill) -> None:
        """Move the assets of a spot fill."""
        sign = 1 if fill.side == "BUY" else -1
        self._add(BASE, sign * fill.qty)
        self._add(QUOTE, -sign * fill.qty * fill.price)
        self._add(fill.fee_asset, -fill.fee)

    def _add(self, asset: str, amount: Decimal) -> None:
        self.balances[asset] = self.balances.get(asset, ZERO) + amount

    def position(self, symbol: str) -> Position:
        """Return the position of a symbol, an empty one the first time."""
        return self.positions.setdefault(symbol, Position(symbol=symbol))

    def used_margin(self, marks: dict[str, Decimal]) -> Decimal:
        """Return the initial margin of positions and of orders that would open more, USDT."""
        used = ZERO
        for position in self.positions.values():
            used += abs(position.qty) * marks[position.symbol] / self.leverage_of(position.symbol)
        return used + self.order_margin()

    def order_margin(self) -> Decimal:
        """Return the initial margin of open futures orders, USDT."""
        orders = (order for order in self.open_orders(FUTURES) if not order.reduce_only)
        amounts = (order.leaves * order.state.price / self.leverage_of(order.symbol) for order in orders)
        return sum(amounts, ZERO)

    def unrealized(self, marks: dict[str, Decimal]) -> Decimal:
        """Return the profit of open positions at mark prices, USDT."""
        profits = (item.qty * (marks[item.symbol] - item.entry) for item in self.positions.values())
        return sum(profits, ZERO)

    def available(self, marks: dict[str, Decimal]) -> Decimal:
        """Return what may back new futures orders, USDT."""
        return max(ZERO, self.futures_usdt + self.unrealized(marks) - self.used_margin(marks))

    def leverage_of(self, symbol: str) -> int:
        """Return the leverage set for a symbol."""
        return self.leverage.get(symbol, DEFAULT_LEVERAGE)


def _cost(order: Order) -> Decimal:
    price = order.state.price or order.stop
    return order.leaves * price
