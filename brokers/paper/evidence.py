"""Remember what was seen, so that a stale or empty book is never taken as proof of absence."""

import threading
from collections.abc import Iterable, Mapping
from datetime import datetime

from app.domain.ids import BrokerOrderId
from app.domain.reports import OrderReport
from brokers.paper import mapping


class SeenOrders:
    """Judge whether a read shows everything that this gateway already knows. Thread-safe.

    Every read says up to which change of the account it goes (`sequence`) and since when it reaches back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sequence = 0
        self._orders: dict[BrokerOrderId, OrderReport] = {}

    def note(self, report: OrderReport) -> None:
        """Remember an order's state."""
        with self._lock:
            self._note(report)

    def judge(self, body: Mapping[str, object]) -> bool:
        """Whether a read goes as far as everything seen before."""
        sequence = mapping.whole(body, "sequence")
        with self._lock:
            is_clean = sequence >= self._sequence
            self._sequence = max(self._sequence, sequence)
            return is_clean

    def judge_orders(self, body: Mapping[str, object], reports: Iterable[OrderReport]) -> bool:
        """Whether a book also shows every known order that it reaches back to; remembers what it shows."""
        is_clean, since = self.judge(body), mapping.instant(body, "since")
        with self._lock:
            self._forget(since)
            shown = {report.broker_order_id: report.version for report in reports}
            known = self._orders.values()
            is_clean = is_clean and all(shown.get(o.broker_order_id, -1) >= o.version for o in known)
            for report in reports:
                self._note(report)
            return is_clean

    def judge_order(self, broker_order_id: BrokerOrderId, report: OrderReport | None) -> bool:
        """Whether a read of one order shows at least what was seen of it before."""
        with self._lock:
            known = self._orders.get(broker_order_id)
            if report is None:
                return known is None
            self._note(report)
            return known is None or report.version >= known.version

    def filled(self, since: datetime) -> frozenset[BrokerOrderId]:
        """Return the known orders with fills, among those that still work or changed since then."""
        with self._lock:
            self._forget(since)
            return frozenset(order_id for order_id, order in self._orders.items() if order.filled > 0)

    def _note(self, report: OrderReport) -> None:
        self._sequence = max(self._sequence, report.version)
        known = self._orders.get(report.broker_order_id)
        if known is None or report.version > known.version:
            self._orders[report.broker_order_id] = report

    def _forget(self, since: datetime) -> None:
        self._orders = {
            order_id: order
            for order_id, order in self._orders.items()
            if not order.status.is_terminal or order.updated_at >= since
        }
