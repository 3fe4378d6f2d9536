"""Read an agent's reply about orders, fills and positions, and judge what it proves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.domain.ids import BrokerOrderId
from app.domain.markets import Currency
from app.domain.reports import FillReport, OrderReport, PositionReport
from brokers.mt5 import mapping
from brokers.mt5.mapping import Sizes
from brokers.mt5.server_time import ServerClock
from brokers.mt5.values import Row, flag, rows, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Hold one consistent look at an account. `is_whole` is False where the terminal's parts disagree."""

    orders: tuple[OrderReport, ...]
    fills: tuple[FillReport, ...]
    positions: tuple[PositionReport, ...]
    is_whole: bool


def read_books(body: Row, *, clock: ServerClock, since: datetime) -> Books:
    """Return what an account did since the day began, and what still works or is held.

    Raises:
        ProtocolError: the reply cannot be read.
        UnavailableError: the server's time is not known yet.
    """
    sizes = mapping.sizes(body)
    since_ms = clock.to_server_ms(since)
    working, ended = rows(body, "orders"), rows(body, "history")
    currency = mapping.account_currency(body)
    every_fill = _fills(rows(body, "deals"), sizes=sizes, clock=clock, currency=currency)
    fills = tuple(fill for fill in every_fill if fill.ts_event >= since)
    prices = mapping.average_prices(every_fill)
    todays = [row for row in ended if whole(row, "time_done_msc") >= since_ms]
    orders = tuple(
        mapping.order_report(row, sizes=sizes, clock=clock, avg_px=prices.get(_order_id(row)))
        for row in (*working, *todays)
    )
    held = rows(body, "positions")
    known = {_order_id(row) for row in (*working, *ended)}
    return Books(
        orders=orders,
        fills=fills,
        positions=mapping.net_positions(held, sizes=sizes),
        is_whole=flag(body, "connected")
        and {fill.broker_order_id for fill in fills} <= known
        and _opened_by_known(held, known, since_ms=since_ms)
        and _explained(orders, every_fill),
    )


def read_order(body: Row, *, clock: ServerClock) -> tuple[OrderReport | None, bool]:
    """Return one order or None, and whether the terminal was connected; raises as `read_books` does."""
    sizes = mapping.sizes(body)
    prices = mapping.average_prices(_fills(rows(body, "deals"), sizes=sizes, clock=clock))
    for row in (*rows(body, "history"), *rows(body, "orders")):
        found = mapping.order_report(row, sizes=sizes, clock=clock, avg_px=prices.get(_order_id(row)))
        return found, flag(body, "connected")
    return None, flag(body, "connected")


def _fills(
    deals: Iterable[Row], *, sizes: Sizes, clock: ServerClock, currency: Currency | None = None
) -> tuple[FillReport, ...]:
    found = (mapping.fill_report(row, sizes=sizes, clock=clock, currency=currency) for row in deals)
    return tuple(fill for fill in found if fill is not None)


def _opened_by_known(held: Sequence[Row], known: set[BrokerOrderId], *, since_ms: int) -> bool:
    """Whether every position that was opened today was opened by an order of the books."""
    return all(
        whole(row, "time_msc") < since_ms or BrokerOrderId(str(whole(row, "identifier"))) in known
        for row in held
    )


def _explained(orders: Iterable[OrderReport], fills: Iterable[FillReport]) -> bool:
    """Whether every order that ended today has the deals that filled it."""
    filled: dict[BrokerOrderId, Decimal] = {}
    for fill in fills:
        filled[fill.broker_order_id] = filled.get(fill.broker_order_id, Decimal(0)) + fill.quantity
    return all(
        filled.get(order.broker_order_id, Decimal(0)) >= order.filled
        for order in orders
        if order.status.is_terminal
    )


def _order_id(row: Row) -> BrokerOrderId:
    return BrokerOrderId(str(whole(row, "ticket")))
