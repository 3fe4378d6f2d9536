"""Compare our book with the broker's: pure, and independent of the order of what came."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from app.domain.ids import BrokerOrderId, ClientOrderId, OrderId
from app.domain.numbers import ZERO
from app.domain.orders import OrderStatus
from app.domain.reports import OrderReport, PositionReport

CLEAN_MISSES_NEEDED: Final = 2
_REQUESTED: Final = frozenset({OrderStatus.PENDING_UPDATE, OrderStatus.PENDING_CANCEL})


@dataclass(frozen=True, slots=True, kw_only=True)
class OurOrder:
    """Show what we believe about one of our orders.

    Every order of the account and day belongs into the comparison, ended ones too: what is missing
    here would look like somebody else's order.
    """

    order_id: OrderId
    client_order_id: ClientOrderId
    broker_order_id: BrokerOrderId | None
    status: OrderStatus
    filled_qty: Decimal
    venue_version: int
    is_unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNews:
    """Find that the broker says something new about our order: apply the report."""

    order_id: OrderId
    report: OrderReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Find that a sent order of ours is not in a clean book: evidence for the resolver, once."""

    order_id: OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class Revived:
    """Find that an order which we hold as ended works at the broker: cancel it there and alarm.

    Its fills come beside this as OrderNews.
    """

    order_id: OrderId
    report: OrderReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubled:
    """Find a second order at the broker under one client id, which I2 forbids: cancel it and alarm."""

    order_id: OrderId
    report: OrderReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """Find an order that is not ours: somebody trades the account elsewhere."""

    report: OrderReport


Finding = OrderNews | Missing | Revived | Doubled | Foreign


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionDiff:
    """Find that a position differs: `ours` and `theirs` in units, negative is short."""

    broker_symbol: str
    ours: Decimal
    theirs: Decimal


class Resolution(StrEnum):
    """Say what is proven about an order whose outcome was unknown."""

    FOUND = "FOUND"
    NOT_PLACED = "NOT_PLACED"
    WAIT = "WAIT"


def reconcile(
    ours: Sequence[OurOrder], reports: Sequence[OrderReport], *, is_clean: bool
) -> tuple[Finding, ...]:
    """Compare all our orders of the day with one read of the broker's book.

    Args:
        ours: every order of the account and day that was sent or is about to be.
        reports: the broker's book.
        is_clean: whether the read proves absence; else nothing is reported missing.

    Returns:
        Findings in a fixed order: by our order, then by broker order id. Nothing for equal books.
    """
    matched, foreign = _match(ours, reports)
    findings: list[Finding] = []
    for order in sorted(ours, key=lambda o: o.order_id):
        found = matched.get(order.order_id)
        if found:
            findings += _about(order, found)
        elif is_clean and order.status.is_working:
            findings.append(Missing(order_id=order.order_id))
    return (*findings, *(Foreign(report=report) for report in _in_order(foreign)))


def compare_positions(
    ours: Mapping[str, Decimal], reports: Sequence[PositionReport]
) -> tuple[PositionDiff, ...]:
    """Return the symbols whose net quantity differs; several reports of one symbol add up."""
    theirs: dict[str, Decimal] = {}
    for report in reports:
        theirs[report.broker_symbol] = theirs.get(report.broker_symbol, ZERO) + report.net_qty
    return tuple(
        PositionDiff(broker_symbol=symbol, ours=ours.get(symbol, ZERO), theirs=theirs.get(symbol, ZERO))
        for symbol in sorted({*ours, *theirs})
        if ours.get(symbol, ZERO) != theirs.get(symbol, ZERO)
    )


def count_miss(clean_misses: int, *, sent_ago: timedelta, not_placed_after: timedelta) -> int:
    """Return the number of misses after one more clean read without the order.

    Venues place late: a miss before the deadline proves nothing and is not counted.
    """
    return clean_misses + 1 if sent_ago >= not_placed_after else clean_misses


def resolve_unknown(*, is_found: bool, clean_misses: int) -> Resolution:
    """Decide by evidence what became of an order with unknown outcome; age alone decides nothing (I3).

    Args:
        is_found: the order is in a book, by id or tag.
        clean_misses: clean reads after the deadline that did not show it, see `count_miss`.
    """
    if is_found:
        return Resolution.FOUND
    return Resolution.NOT_PLACED if clean_misses >= CLEAN_MISSES_NEEDED else Resolution.WAIT


def _match(
    ours: Sequence[OurOrder], reports: Sequence[OrderReport]
) -> tuple[dict[OrderId, list[OrderReport]], list[OrderReport]]:
    by_broker_id = {o.broker_order_id: o for o in ours if o.broker_order_id is not None}
    by_client_id: dict[str, OurOrder] = {o.client_order_id: o for o in ours}
    matched: dict[OrderId, list[OrderReport]] = {}
    foreign: list[OrderReport] = []
    for report in reports:
        # A venue may append "-..." to a tag; our own ids hold no dash.
        order = by_broker_id.get(report.broker_order_id) or by_client_id.get(report.tag.partition("-")[0])
        if order is None:
            foreign.append(report)
        else:
            matched.setdefault(order.order_id, []).append(report)
    return matched, foreign


def _about(order: OurOrder, reports: Sequence[OrderReport]) -> list[Finding]:
    latest: dict[BrokerOrderId, OrderReport] = {}
    for report in sorted(reports, key=lambda r: r.version):
        latest[report.broker_order_id] = report
    first = order.broker_order_id if order.broker_order_id in latest else min(latest)
    findings: list[Finding] = [
        Doubled(order_id=order.order_id, report=report)
        for report in _in_order(latest.values())
        if report.broker_order_id != first
    ]
    return _news(order, latest[first]) + findings


def _news(order: OurOrder, report: OrderReport) -> list[Finding]:
    findings: list[Finding] = []
    is_revived = (
        order.status.is_terminal and report.status.is_working and report.version >= order.venue_version
    )
    if report.filled > order.filled_qty or (not is_revived and _says_more(order, report)):
        findings.append(OrderNews(order_id=order.order_id, report=report))
    if is_revived:
        findings.append(Revived(order_id=order.order_id, report=report))
    return findings


def _says_more(order: OurOrder, report: OrderReport) -> bool:
    if order.is_unknown or order.broker_order_id is None:
        return True
    if report.version != order.venue_version:
        return report.version > order.venue_version
    # What we asked for is not in the book yet: no news.
    is_waiting = order.status in _REQUESTED and report.status.is_working
    return report.status is not order.status and not is_waiting


def _in_order(reports: Iterable[OrderReport]) -> list[OrderReport]:
    return sorted(reports, key=lambda r: (r.broker_order_id, r.version))
