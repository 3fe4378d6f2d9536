"""Give orders back the tag that a change at the venue took from them."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from app.domain.errors import BrokerError
from app.domain.ids import BrokerOrderId
from app.domain.ports import Clock
from app.domain.reports import OrderReport
from brokers.kotak_neo import mapping

# After a modify the book shows a random text with this ending in place of the tag (brokers.md 1.8).
_LOST_MARK = "-ADMINAPI"
# One read of the book must not use up the budget of history calls: the rest is asked by the next read.
_MOST_QUESTIONS = 5

RequestHistory = Callable[[BrokerOrderId], Sequence[Mapping[str, object]] | None]


class OriginalTags:
    """Remember the tag that each order had first; ask the order's history when nobody saw it. Thread-safe.

    Args:
        clock: its day ends the memory.
        request_history: returns an order's versions, or None for "No Data"; raises BrokerError.
    """

    def __init__(self, clock: Clock, request_history: RequestHistory) -> None:
        self._clock = clock
        self._request_history = request_history
        self._lock = threading.Lock()
        self._day: date | None = None
        self._tags: dict[BrokerOrderId, str] = {}

    def note(self, broker_order_id: BrokerOrderId, tag: str) -> None:
        """Remember the tag with which an order was placed."""
        with self._lock:
            self._roll()
            self._tags.setdefault(broker_order_id, tag)

    def from_memory(self, report: OrderReport) -> OrderReport | None:
        """Return the report with its first tag, None when only the order's history can tell it."""
        if _LOST_MARK not in report.tag:
            if report.tag:
                self.note(report.broker_order_id, report.tag)
            return report
        with self._lock:
            self._roll()
            tag = self._tags.get(report.broker_order_id)
        return None if tag is None else replace(report, tag=tag)

    def restore(self, reports: Iterable[OrderReport]) -> tuple[tuple[OrderReport, ...], bool]:
        """Return the reports with their first tags, and whether every tag is known.

        An order whose tag stays unknown may be any of ours: such a book proves no order absent.
        """
        restored, asked, are_known = [], 0, True
        for report in reports:
            found = self.from_memory(report)
            if found is None and asked < _MOST_QUESTIONS:
                asked += 1
                found = self._from_history(report)
            are_known = are_known and found is not None
            restored.append(report if found is None else found)
        return tuple(restored), are_known

    def _from_history(self, report: OrderReport) -> OrderReport | None:
        try:
            rows = self._request_history(report.broker_order_id)
            tag = mapping.first_tag(rows or (), report.broker_order_id)
        except BrokerError:
            return None
        # A history that begins after the change tells nothing either.
        if tag is None or _LOST_MARK in tag:
            return None
        self.note(report.broker_order_id, tag)
        return replace(report, tag=tag)

    def _roll(self) -> None:
        today = self._clock.now().astimezone(mapping.IST).date()
        if today != self._day:
            self._day = today
            self._tags = {}
