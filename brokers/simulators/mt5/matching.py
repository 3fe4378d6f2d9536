"""Match what waits against each tick: pending orders, stops of positions, expiry, stop out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from brokers.simulators.mt5 import constants as mt5
from brokers.simulators.mt5.book import Book
from brokers.simulators.mt5.dealer import first_part
from brokers.simulators.mt5.executions import Executions, market_price
from brokers.simulators.mt5.market import Quote
from brokers.simulators.mt5.minutes import POINTS_PER_UNIT
from brokers.simulators.mt5.records import (
    BUY,
    LIMIT_TYPES,
    PENDING_TYPES,
    STOP_LIMIT_TYPES,
    Order,
    Position,
    opposite,
)

STOP_OUT_PERCENT = 50
_RELEASED = {
    mt5.ORDER_TYPE_BUY_STOP_LIMIT: mt5.ORDER_TYPE_BUY_LIMIT,
    mt5.ORDER_TYPE_SELL_STOP_LIMIT: mt5.ORDER_TYPE_SELL_LIMIT,
}


@dataclass(slots=True, kw_only=True)
class Matching:
    """Run one tick over all books; `fills_in_parts` draws whether an order meets too little volume."""

    executions: Executions
    fills_in_parts: Callable[[Book, Order], bool]

    def on_tick(self, books: Iterable[Book], quote: Quote) -> None:
        """Match every waiting order and stop; a position's own stops come after the orders."""
        for book in books:
            for order in tuple(book.orders.values()):
                self._match_order(book, order, quote)
            for position in tuple(book.positions.values()):
                self._match_stops(book, position, quote)
            if book.positions and quote.at % 60 == 0:
                self._stop_out(book, quote)

    def _match_order(self, book: Book, order: Order, quote: Quote) -> None:
        if order.expires_ms and quote.at * 1000 >= order.expires_ms:
            book.finish_order(order, mt5.ORDER_STATE_EXPIRED, self.executions.now_ms())
        elif order.position_id and order.position_id not in book.positions:
            book.finish_order(order, mt5.ORDER_STATE_CANCELED, self.executions.now_ms())
        elif order.type in STOP_LIMIT_TYPES:
            if _reaches_stop(order, quote):
                released = replace(order, type=_RELEASED[order.type], price=order.stoplimit, stoplimit=0)
                book.put_order(released)
        elif order.type in LIMIT_TYPES:
            if _reaches_limit(order, quote):
                self._trigger(book, order, quote, order.price)
        elif _is_released(order) or _reaches_stop(order, quote):
            self._trigger(book, order, quote, market_price(order.side, quote))

    def _trigger(self, book: Book, order: Order, quote: Quote, price: int) -> None:
        if not order.position_id and book.lacks_money(order.symbol, order.side, order.left, quote):
            rejected = replace(order, comment="no money")
            book.finish_order(rejected, mt5.ORDER_STATE_REJECTED, self.executions.now_ms())
            return
        volume = order.left
        if order.state == mt5.ORDER_STATE_PLACED and self.fills_in_parts(book, order):
            volume = first_part(volume, 1)
        self.executions.fill(book, order, volume, price)

    def _match_stops(self, book: Book, position: Position, quote: Quote) -> None:
        market = market_price(opposite(position.side), quote)
        sign = 1 if position.side == BUY else -1
        if position.sl and sign * (market - position.sl) <= 0:
            self._close(book, position, market, mt5.ORDER_REASON_SL)
        elif position.tp and sign * (market - position.tp) >= 0:
            self._close(book, position, position.tp, mt5.ORDER_REASON_TP)

    def _close(self, book: Book, position: Position, price: int, reason: int) -> None:
        is_loss = reason == mt5.ORDER_REASON_SL
        level = (position.sl if is_loss else position.tp) / POINTS_PER_UNIT
        comment = f"[{'sl' if is_loss else 'tp'} {level:.5f}]"
        self.executions.close_position(book, position, price, reason=reason, comment=comment)

    def _stop_out(self, book: Book, quote: Quote) -> None:
        while book.positions:
            margin, equity = book.margin(), book.equity(quote)
            if margin == 0 or equity * 100 >= margin * STOP_OUT_PERCENT:
                return
            worst = min(book.positions.values(), key=lambda p: p.profit(quote.bid, quote.ask))
            price = market_price(opposite(worst.side), quote)
            level = f"[so {equity * 100 / margin:.2f}%]"
            self.executions.close_position(book, worst, price, reason=mt5.ORDER_REASON_SO, comment=level)


def _is_released(order: Order) -> bool:
    # What a market order left open, or a stop order that has begun to fill.
    return order.type not in PENDING_TYPES or order.state == mt5.ORDER_STATE_PARTIAL


def _reaches_limit(order: Order, quote: Quote) -> bool:
    market = market_price(order.side, quote)
    return market <= order.price if order.side == BUY else market >= order.price


def _reaches_stop(order: Order, quote: Quote) -> bool:
    market = market_price(order.side, quote)
    return market >= order.price if order.side == BUY else market <= order.price
