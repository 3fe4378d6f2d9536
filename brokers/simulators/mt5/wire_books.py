"""Answer the reads of orders, positions, history orders and deals."""

import time
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from brokers.simulators.mt5 import constants as mt5
from brokers.simulators.mt5.book import Snapshot
from brokers.simulators.mt5.calls import Call, Failed, Handler
from brokers.simulators.mt5.records import Deal, Order
from brokers.simulators.mt5.rows import Row, deal_row, order_row, position_row


def matches_group(symbol: str, group: str) -> bool:
    """Return whether a symbol fits a filter such as "*USD*,!EURUSD.fok": some pattern, and no negated one."""
    patterns = [part.strip() for part in group.split(",") if part.strip()]
    refused = any(fnmatchcase(symbol, part[1:]) for part in patterns if part.startswith("!"))
    wanted = [part for part in patterns if not part.startswith("!")]
    return not refused and any(fnmatchcase(symbol, part) for part in wanted or ["*"])


def _visible_until(call: Call) -> float | None:
    # The monotonic instant up to which this read shows the books; None for now, 0 for nothing at all.
    faults, login = call.sim.faults, call.login
    if faults.draw("book_empty", call.function, login):
        return 0.0
    hit = faults.draw("book_lag", call.function, login)
    lag_s = hit.seconds if hit else faults.profile.book_lag_s
    return time.monotonic() - lag_s if lag_s else None


def _seen(call: Call) -> Snapshot:
    return call.book.seen(_visible_until(call))


def _chosen(call: Call, rows: Iterable[Row]) -> list[Row]:
    ticket, symbol, group = call.number("ticket"), call.text("symbol"), call.text("group")
    return [
        row
        for row in rows
        if (not ticket or row["ticket"] == ticket)
        and (not symbol or row["symbol"] == symbol)
        and (not group or matches_group(str(row["symbol"]), group))
    ]


def _orders(call: Call) -> list[Row]:
    quote, clock = call.sim.quote(), call.time
    return _chosen(call, [order_row(order, quote, clock) for order in _seen(call).orders])


def _positions(call: Call) -> list[Row]:
    quote, clock = call.sim.quote(), call.time
    return _chosen(call, [position_row(position, quote, clock) for position in _seen(call).positions])


def _history_orders(call: Call) -> list[Row]:
    until = _visible_until(call)
    orders = [o for o in call.book.history.values() if until is None or o.done_real <= until]
    quote, clock = call.sim.quote(), call.time
    ticket, position, covers = call.number("ticket"), call.number("position"), _period(call)
    return [
        order_row(order, quote, clock)
        for order in orders
        if _belongs(order, ticket, position) and covers(order.done_ms, order.symbol)
    ]


def _belongs(order: Order, ticket: int, position: int) -> bool:
    return (not ticket or order.ticket == ticket) and (
        not position or position in {order.position_id, order.position_by_id}
    )


def _deals(call: Call) -> list[Row]:
    until = _visible_until(call)
    deals = [d for d in call.book.deals if until is None or d.real <= until]
    clock, covers = call.time, _period(call)
    return [deal_row(deal, clock) for deal in deals if _is_of(call, deal) and covers(deal.at_ms, deal.symbol)]


def _is_of(call: Call, deal: Deal) -> bool:
    # For deals the argument `ticket` names the order.
    ticket, position = call.number("ticket"), call.number("position")
    return (not ticket or deal.order == ticket) and (not position or deal.position_id == position)


def _period(call: Call) -> Callable[[int, str], bool]:
    # A filter on UTC milliseconds and symbol; without ticket or position it needs a period, server seconds.
    if call.number("ticket") or call.number("position"):
        return lambda _ms, _symbol: True
    if "date_from" not in call.arguments or "date_to" not in call.arguments:
        raise Failed(mt5.RES_E_INVALID_PARAMS)
    start, end, group = call.number("date_from"), call.number("date_to"), call.text("group")
    clock = call.time

    def covers(at_ms: int, symbol: str) -> bool:
        inside = start <= clock.millis(at_ms) // 1000 <= end
        return inside and (not group or matches_group(symbol, group))

    return covers


def _count(listing: Handler) -> Handler:
    def count(call: Call) -> int:
        rows = listing(call)
        return len(rows) if isinstance(rows, list) else 0

    return count


BOOK_HANDLERS: dict[str, Handler] = {
    "orders_get": _orders,
    "orders_total": _count(_orders),
    "positions_get": _positions,
    "positions_total": _count(_positions),
    "history_orders_get": _history_orders,
    "history_orders_total": _count(_history_orders),
    "history_deals_get": _deals,
    "history_deals_total": _count(_deals),
}
