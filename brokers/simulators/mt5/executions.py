"""Fill orders: turn an execution into a deal, a position and money."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from brokers.simulators.mt5 import constants as mt5
from brokers.simulators.mt5.book import Book
from brokers.simulators.mt5.market import Quote
from brokers.simulators.mt5.positions import Execution, apply_execution
from brokers.simulators.mt5.records import BUY, Deal, Order, Position, opposite

_FIRST_ORDER = 500_000_000
_FIRST_DEAL = 700_000_000


@dataclass(slots=True, kw_only=True)
class Executions:
    """Number tickets and book what is done; `now_ms` tells virtual epoch milliseconds."""

    now_ms: Callable[[], int]
    filled: int = 0  # hundredths of a lot, all accounts
    _orders: int = field(default=_FIRST_ORDER)
    _deals: int = field(default=_FIRST_DEAL)

    def next_order(self) -> int:
        """Return a new order ticket."""
        self._orders += 1
        return self._orders

    def next_deal(self) -> int:
        """Return a new deal ticket."""
        self._deals += 1
        return self._deals

    def fill(self, book: Book, order: Order, volume: int, price: int) -> tuple[Order, Deal]:
        """Do a volume of an order at a price; the order is done when nothing is left."""
        at_ms = self.now_ms()
        effect = apply_execution(book, Execution(order=order, volume=volume, price=price, at_ms=at_ms))
        deal = Deal(
            ticket=self.next_deal(),
            order=order.ticket,
            symbol=order.symbol,
            type=order.side,
            entry=effect.entry,
            volume=volume,
            price=price,
            at_ms=at_ms,
            real=time.monotonic(),
            position_id=effect.position_id,
            profit=effect.profit,
            commission=-book.account.commission_cents(volume),
            swap=0 if effect.entry == mt5.DEAL_ENTRY_IN else book.account.swap_cents(volume),
            magic=order.magic,
            reason=order.reason,
            comment=order.comment,
        )
        book.add_deal(deal)
        self.filled += volume
        left = replace(order, left=order.left - volume, position_id=effect.position_id)
        if left.left == 0:
            return book.finish_order(left, mt5.ORDER_STATE_FILLED, at_ms), deal
        # Between its parts a pending order must open or add again, not close: the id is set when it is done.
        partial = replace(left, state=mt5.ORDER_STATE_PARTIAL, position_id=order.position_id)
        book.put_order(partial)
        return partial, deal

    def close_position(
        self, book: Book, position: Position, price: int, *, reason: int, comment: str
    ) -> None:
        """Close a position as the server does it by itself: stop loss, take profit, stop out."""
        at_ms = self.now_ms()
        order = Order(
            ticket=self.next_order(),
            symbol=position.symbol,
            type=opposite(position.side),
            volume=position.volume,
            left=position.volume,
            price=price,
            state=mt5.ORDER_STATE_STARTED,
            setup_ms=at_ms,
            magic=position.magic,
            position_id=position.ticket,
            reason=reason,
            comment=comment,
            placed_real=time.monotonic(),
        )
        self.fill(book, order, position.volume, price)

    def close_by(self, book: Book, position: Position, other: Position, order: Order) -> Order:
        """Close two opposite positions against each other; the profit falls to the first deal."""
        at_ms, volume = self.now_ms(), min(position.volume, other.volume)
        price = round(other.price)
        for leg, profit in ((position, position.profit_at(price, volume)), (other, 0)):
            book.put_position(replace(leg, volume=leg.volume - volume, updated_ms=at_ms))
            book.add_deal(
                Deal(
                    ticket=self.next_deal(),
                    order=order.ticket,
                    symbol=leg.symbol,
                    type=opposite(leg.side),
                    entry=mt5.DEAL_ENTRY_OUT_BY,
                    volume=volume,
                    price=price,
                    at_ms=at_ms,
                    real=time.monotonic(),
                    position_id=leg.identifier,
                    profit=profit,
                    magic=order.magic,
                    reason=order.reason,
                    comment=order.comment,
                )
            )
        done = replace(order, volume=volume, left=0, position_id=position.identifier)
        return book.finish_order(done, mt5.ORDER_STATE_FILLED, at_ms)


def market_price(side: int, quote: Quote) -> int:
    """Return what a market order of a side is done at, points."""
    return quote.ask if side == BUY else quote.bid
