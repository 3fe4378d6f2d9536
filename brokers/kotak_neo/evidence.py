"""Remember what was seen today, so that a stale or empty book is never taken as proof of absence."""

import threading
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from app.domain.ids import BrokerOrderId, TradeId
from app.domain.ports import Clock
from app.domain.reports import FillReport, OrderReport, PositionReport
from brokers.kotak_neo.mapping import IST


class SeenToday:
    """Judge whether a read shows everything that this gateway already knows. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._day: date | None = None
        self._filled: dict[BrokerOrderId, Decimal] = {}
        self._trades: set[TradeId] = set()
        self._traded_symbols: set[str] = set()

    def note_placed(self, broker_order_id: BrokerOrderId) -> None:
        """Remember an order that the broker received."""
        with self._lock:
            self._roll()
            self._filled.setdefault(broker_order_id, Decimal(0))

    def note_order(self, report: OrderReport) -> None:
        """Remember an order and how far it is filled."""
        with self._lock:
            self._roll()
            self._note(report)

    def judge_orders(self, reports: Iterable[OrderReport]) -> bool:
        """Whether a book shows every order seen before; remembers what it shows."""
        with self._lock:
            self._roll()
            shown = {report.broker_order_id: report.filled for report in reports}
            is_clean = all(shown.get(known, Decimal(-1)) >= filled for known, filled in self._filled.items())
            for report in reports:
                self._note(report)
            return is_clean

    def judge_order(self, broker_order_id: BrokerOrderId, report: OrderReport | None) -> bool:
        """Whether a read of one order shows at least what was seen of it before."""
        with self._lock:
            self._roll()
            known = self._filled.get(broker_order_id)
            if report is None:
                return known is None
            self._note(report)
            return known is None or report.filled >= known

    def judge_fills(self, fills: Iterable[FillReport]) -> bool:
        """Whether the trades show every trade and every filled unit seen before."""
        with self._lock:
            self._roll()
            shown: dict[BrokerOrderId, Decimal] = {}
            trades: set[TradeId] = set()
            for fill in fills:
                trades.add(fill.trade_id)
                self._traded_symbols.add(fill.broker_symbol)
                shown[fill.broker_order_id] = shown.get(fill.broker_order_id, Decimal(0)) + fill.quantity
            is_clean = self._trades <= trades and all(
                shown.get(known, Decimal(0)) >= filled for known, filled in self._filled.items()
            )
            self._trades |= trades
            for order_id, filled in shown.items():
                self._filled[order_id] = max(filled, self._filled.get(order_id, filled))
            return is_clean

    def judge_positions(self, positions: Iterable[PositionReport]) -> bool:
        """Whether the positions show every symbol that was filled today; flat ones are listed too."""
        with self._lock:
            self._roll()
            return self._traded_symbols <= {position.broker_symbol for position in positions}

    def _note(self, report: OrderReport) -> None:
        known = self._filled.get(report.broker_order_id, report.filled)
        self._filled[report.broker_order_id] = max(report.filled, known)
        if report.filled > 0:
            self._traded_symbols.add(report.broker_symbol)

    def _roll(self) -> None:
        today = self._clock.now().astimezone(IST).date()
        if today != self._day:
            self._day = today
            self._filled = {}
            self._trades = set()
            self._traded_symbols = set()
