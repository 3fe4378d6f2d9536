"""Remember what was seen today, so that a stale or empty book is never taken as proof of absence."""

import threading
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from app.domain.ids import BrokerOrderId, TradeId
from app.domain.numbers import ZERO
from app.domain.ports import Clock
from app.domain.reports import FillReport, OrderReport, PositionReport

# Binance answers positions from a store that may lag behind the matching engine by moments.
_POSITION_LAG_S = 10.0


class SeenToday:
    """Judge whether a read shows everything that this gateway already knows. Thread-safe.

    The day is that of UTC; orders that still work are carried over midnight.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._day: date | None = None
        self._orders: dict[BrokerOrderId, OrderReport | None] = {}
        self._trades: set[TradeId] = set()
        self._filled_at: dict[str, float] = {}

    def note_placed(self, broker_order_id: BrokerOrderId) -> None:
        """Remember an order that the broker received."""
        with self._lock:
            self._roll()
            self._orders.setdefault(broker_order_id, None)

    def note_order(self, report: OrderReport) -> None:
        """Remember an order and how far it is filled."""
        with self._lock:
            self._roll()
            self._note(report)

    def working(self) -> frozenset[BrokerOrderId]:
        """Return the orders that worked when they were last seen, or were placed and not seen since."""
        with self._lock:
            self._roll()
            return frozenset(
                known for known, report in self._orders.items() if report is None or report.status.is_working
            )

    def judge_orders(self, reports: Iterable[OrderReport]) -> bool:
        """Whether a book shows every order seen before; remembers what it shows."""
        with self._lock:
            self._roll()
            shown = {report.broker_order_id: report.filled for report in reports}
            is_clean = all(
                shown.get(known, Decimal(-1)) >= _filled(report) for known, report in self._orders.items()
            )
            for report in reports:
                self._note(report)
            return is_clean

    def judge_order(self, broker_order_id: BrokerOrderId, report: OrderReport | None) -> bool:
        """Whether a read of one order shows at least what was seen of it before."""
        with self._lock:
            self._roll()
            if report is None:
                return broker_order_id not in self._orders
            filled = _filled(self._orders.get(broker_order_id))
            self._note(report)
            return report.filled >= filled

    def judge_fills(self, fills: Iterable[FillReport]) -> bool:
        """Whether the trades show every trade and every unit seen before; yesterday's fills don't count."""
        with self._lock:
            self._roll()
            shown: dict[BrokerOrderId, Decimal] = {}
            trades: set[TradeId] = set()
            for fill in fills:
                trades.add(fill.trade_id)
                shown[fill.broker_order_id] = shown.get(fill.broker_order_id, ZERO) + fill.quantity
            is_clean = self._trades <= trades and all(
                shown.get(known, ZERO) >= report.filled
                for known, report in self._orders.items()
                if report is not None and report.updated_at.date() == self._day
            )
            self._trades |= trades
            return is_clean

    def judge_positions(self, positions: Iterable[PositionReport]) -> bool:
        """Whether what was filled in the last moments shows; a symbol may be left out once it is flat."""
        with self._lock:
            self._roll()
            shown = {position.broker_symbol for position in positions}
            now = self._clock.monotonic()
            return all(
                symbol in shown or now - at > _POSITION_LAG_S or self._net(symbol) == 0
                for symbol, at in self._filled_at.items()
            )

    def _net(self, symbol: str) -> Decimal:
        return sum(
            (
                report.side.sign * report.filled
                for report in self._orders.values()
                if report is not None and report.broker_symbol == symbol
            ),
            ZERO,
        )

    def _note(self, report: OrderReport) -> None:
        known = self._orders.get(report.broker_order_id)
        if report.filled > _filled(known):
            self._filled_at[report.broker_symbol] = self._clock.monotonic()
        if known is None or (report.filled, report.version) >= (known.filled, known.version):
            self._orders[report.broker_order_id] = report

    def _roll(self) -> None:
        today = self._clock.now().date()
        if today != self._day:
            self._day = today
            self._orders = {
                known: report
                for known, report in self._orders.items()
                if report is not None and report.status.is_working
            }
            self._trades = set()
            self._filled_at = {}


def _filled(report: OrderReport | None) -> Decimal:
    return ZERO if report is None else report.filled
