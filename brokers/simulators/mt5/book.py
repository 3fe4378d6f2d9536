"""Keep what one account did: orders, positions, deals, money, and how the books stood a moment ago."""

import time
from collections import deque
from dataclasses import dataclass, field, replace

from brokers.simulators.mt5 import constants as mt5
from brokers.simulators.mt5.accounts import Account
from brokers.simulators.mt5.market import Quote
from brokers.simulators.mt5.records import BUY, Deal, Order, Position

_REMEMBER = 256  # snapshots of the open orders and positions


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The open orders and positions from a monotonic instant on."""

    real: float
    orders: tuple[Order, ...]
    positions: tuple[Position, ...]


@dataclass(slots=True, kw_only=True)
class Book:
    """One account's book; money in cents."""

    account: Account
    orders: dict[int, Order] = field(default_factory=dict)
    positions: dict[int, Position] = field(default_factory=dict)
    history: dict[int, Order] = field(default_factory=dict)
    deals: list[Deal] = field(default_factory=list)
    balance: int = 0
    _snapshots: deque[Snapshot] = field(default_factory=lambda: deque(maxlen=_REMEMBER))

    def remember(self) -> None:
        """Note how the books stand now, so that a stale read can show it later."""
        self._snapshots.append(
            Snapshot(
                real=time.monotonic(),
                orders=tuple(self.orders.values()),
                positions=tuple(self.positions.values()),
            )
        )

    def seen(self, until_real: float | None) -> Snapshot:
        """Return the open orders and positions now, or as they stood at a monotonic instant."""
        if until_real is None:
            until_real = time.monotonic()
        for snapshot in reversed(self._snapshots):
            if snapshot.real <= until_real:
                return snapshot
        return Snapshot(real=0.0, orders=(), positions=())

    def put_order(self, order: Order) -> None:
        """Add or replace a working order."""
        self.orders[order.ticket] = order
        self.remember()

    def finish_order(self, order: Order, state: int, at_ms: int) -> Order:
        """Move an order into history with its last state."""
        done = replace(order, state=state, done_ms=at_ms, done_real=time.monotonic())
        self.orders.pop(order.ticket, None)
        self.history[order.ticket] = done
        self.remember()
        return done

    def put_position(self, position: Position) -> None:
        """Add or replace an open position; one of no volume is gone."""
        if position.volume > 0:
            self.positions[position.ticket] = position
        else:
            self.positions.pop(position.ticket, None)
        self.remember()

    def add_deal(self, deal: Deal) -> None:
        """Book a deal and its money."""
        self.deals.append(deal)
        self.balance += deal.profit + deal.commission + deal.swap

    def of_symbol(self, symbol: str) -> list[Position]:
        """Return the open positions of a symbol, oldest first."""
        return [position for position in self.positions.values() if position.symbol == symbol]

    def floating(self, quote: Quote) -> int:
        """Return the profit of all open positions, cents."""
        return sum(position.profit(quote.bid, quote.ask) for position in self.positions.values())

    def equity(self, quote: Quote) -> int:
        """Return balance plus floating profit, cents."""
        return self.balance + self.floating(quote)

    def margin(self) -> int:
        """Return the margin in use, cents; of opposite positions in a symbol the larger side counts."""
        total = 0
        for symbol in {position.symbol for position in self.positions.values()}:
            sides = {0: 0, 1: 0}
            for position in self.of_symbol(symbol):
                sides[position.side] += self.margin_of(position.volume, round(position.price))
            total += max(sides.values())
        return total

    def margin_of(self, volume: int, price: int) -> int:
        """Return the margin of a volume at a price, cents, rounded up."""
        return -(-volume * price // self.account.leverage)

    def open_volume(self, symbol: str, side: int) -> int:
        """Return the volume of positions and working orders of one side, hundredths of a lot."""
        positions = sum(p.volume for p in self.of_symbol(symbol) if p.side == side)
        orders = sum(o.left for o in self.orders.values() if o.symbol == symbol and o.side == side)
        return positions + orders

    def needs(self, symbol: str, side: int, volume: int, price: int) -> int:
        """Return how much more margin a deal would take, cents; a closing part takes none."""
        sides = {0: 0, 1: 0}
        for position in self.of_symbol(symbol):
            sides[position.side] += position.volume
        after = {**sides, side: sides[side] + volume}
        if self.account.hedges:
            more = max(after.values()) - max(sides.values())
        else:
            more = abs(after[0] - after[1]) - abs(sides[0] - sides[1])
        return self.margin_of(max(0, more), price)

    def lacks_money(self, symbol: str, side: int, volume: int, quote: Quote) -> bool:
        """Return whether free margin does not cover a deal."""
        price = quote.ask if side == BUY else quote.bid
        needed = self.needs(symbol, side, volume, price)
        return needed > 0 and needed > self.equity(quote) - self.margin()


def open_book(account: Account, ticket: int, at_ms: int) -> Book:
    """Return a new book with the first deposit as its only deal."""
    book = Book(account=account)
    book.add_deal(
        Deal(
            ticket=ticket,
            order=0,
            symbol="",
            type=mt5.DEAL_TYPE_BALANCE,
            entry=mt5.DEAL_ENTRY_IN,
            volume=0,
            price=0,
            at_ms=at_ms,
            real=time.monotonic(),
            profit=account.deposit_cents,
            reason=mt5.DEAL_REASON_CLIENT,
            comment="Deposit",
        )
    )
    book.remember()
    return book
