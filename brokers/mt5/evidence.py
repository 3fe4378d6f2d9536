"""Remember what was seen today, so that books that lag are never taken as proof of absence."""

import threading
from datetime import datetime
from decimal import Decimal

from app.domain.ids import BrokerOrderId, TradeId
from app.domain.reports import OrderReport
from brokers.mt5.books import Books


class SeenToday:
    """Judge whether a look at the books shows everything that this gateway already knows. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._day: datetime | None = None
        self._filled: dict[BrokerOrderId, Decimal] = {}
        self._trades: set[TradeId] = set()

    def note_placed(self, broker_order_id: BrokerOrderId) -> None:
        """Remember an order that the broker took."""
        with self._lock:
            self._filled.setdefault(broker_order_id, Decimal(0))

    def judge(self, books: Books, *, day: datetime) -> bool:
        """Whether the books of a day show every order and fill seen before; remembers what they show."""
        with self._lock:
            self._roll(day)
            shown = {order.broker_order_id: order.filled for order in books.orders}
            trades = {fill.trade_id for fill in books.fills}
            is_complete = self._trades <= trades and all(
                shown.get(known, Decimal(-1)) >= filled for known, filled in self._filled.items()
            )
            for order_id, filled in shown.items():
                self._filled[order_id] = max(filled, self._filled.get(order_id, filled))
            self._trades |= trades
            return is_complete and books.is_whole

    def judge_order(self, broker_order_id: BrokerOrderId, found: OrderReport | None) -> bool:
        """Whether a look at one order shows at least what was seen of it before."""
        with self._lock:
            known = self._filled.get(broker_order_id)
            return known is None or (found is not None and found.filled >= known)

    def _roll(self, day: datetime) -> None:
        if day != self._day:
            is_first = self._day is None
            self._day = day
            self._trades = set()
            # What was placed before the first look belongs to this day.
            self._filled = self._filled if is_first else {}
