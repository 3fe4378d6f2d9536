"""Read the conditional orders of USD-M futures, which live beside the order book until they trigger.

A triggered one puts an ordinary order into the book, with a number of its own. To the platform both are
one order: the conditional one's name, the ordinary one's fills.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from app.domain.errors import ProtocolError
from app.domain.ids import BrokerOrderId
from app.domain.numbers import ZERO
from app.domain.orders import OrderStatus
from app.domain.reports import OrderReport
from brokers.binance import mapping
from brokers.binance.refs import OrderRef
from brokers.binance.values import (
    Row,
    amount,
    milliseconds,
    moment,
    one_of,
    optional_amount,
    optional_text,
    whole,
)

STATUSES = {
    "NEW": OrderStatus.ACCEPTED,
    "TRIGGERING": OrderStatus.TRIGGERED,
    "TRIGGERED": OrderStatus.TRIGGERED,
    # Filled or canceled in the book: the ordinary order tells which.
    "FINISHED": OrderStatus.TRIGGERED,
    "CANCELED": OrderStatus.CANCELED,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
}
ALGO_TYPES = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"})


def algo_report(row: Row) -> OrderReport:
    """Return a row of the algo endpoints as a report of the conditional order alone."""
    one_of(row, "orderType", ALGO_TYPES)
    status = STATUSES[one_of(row, "algoStatus", STATUSES)]
    ms = milliseconds(row, "updateTime")
    name = mapping.symbol(row, "symbol")
    return OrderReport(
        broker_order_id=OrderRef(name, whole(row, "algoId"), is_algo=True).broker_order_id,
        tag=optional_text(row, "clientAlgoId"),
        broker_symbol=name,
        side=mapping.SIDES[one_of(row, "side", mapping.SIDES)],
        quantity=amount(row, "quantity"),
        filled=ZERO,
        avg_px=None,
        price=optional_amount(row, "price"),
        trigger_price=optional_amount(row, "triggerPrice"),
        status=status,
        reject_reason="refused when it triggered" if status is OrderStatus.REJECTED else "",
        version=mapping.version(ms, status),
        updated_at=moment(ms),
    )


def actual_order(row: Row) -> BrokerOrderId | None:
    """Return the name of the ordinary order that a triggered one became, None before that."""
    if row.get("actualOrderId") in (None, "", 0, "0"):
        return None
    return OrderRef(mapping.symbol(row, "symbol"), whole(row, "actualOrderId")).broker_order_id


def merged(algo: OrderReport, actual: OrderReport | None) -> OrderReport:
    """Return one report for a conditional order and what it became in the book."""
    if actual is None or algo.status is not OrderStatus.TRIGGERED:
        return algo
    if actual.filled > algo.quantity > 0:
        raise ProtocolError(
            f"{algo.broker_order_id}: expected at most {algo.quantity} filled, got {actual.filled}"
        )
    is_only_working = actual.status in (OrderStatus.ACCEPTED, OrderStatus.SUBMITTED)
    status = OrderStatus.TRIGGERED if is_only_working else actual.status
    latest = max(algo.updated_at, actual.updated_at)
    return replace(
        algo,
        quantity=algo.quantity or actual.quantity,
        filled=actual.filled,
        avg_px=actual.avg_px,
        status=status,
        reject_reason=actual.reject_reason,
        version=max(algo.version, actual.version),
        updated_at=latest,
    )


def merged_book(orders: Sequence[OrderReport], algos: Sequence[Row]) -> tuple[OrderReport, ...]:
    """Return one book of both kinds; ordinary orders that conditional ones became are told under these."""
    ordinary = {order.broker_order_id: order for order in orders}
    merges = []
    for row in algos:
        actual_id = actual_order(row)
        merges.append(merged(algo_report(row), None if actual_id is None else ordinary.pop(actual_id, None)))
    return (*ordinary.values(), *merges)


def event_report(order: Row, ms: int) -> OrderReport:
    """Return the `o` of an ALGO_UPDATE as a report; `ms` is the event's transaction time.

    Source: USD-M futures documentation, Event Algo Order Update (2026).
    """
    one_of(order, "o", ALGO_TYPES)
    word = one_of(order, "X", STATUSES)
    quantity = amount(order, "q")
    filled = optional_amount(order, "aq") or ZERO
    if filled > quantity > 0:
        raise ProtocolError(f"aq: expected at most {quantity}, got {filled}")
    status = _event_status(word, filled=filled, quantity=quantity)
    name = mapping.symbol(order, "s")
    return OrderReport(
        broker_order_id=OrderRef(name, whole(order, "aid"), is_algo=True).broker_order_id,
        tag=optional_text(order, "caid"),
        broker_symbol=name,
        side=mapping.SIDES[one_of(order, "S", mapping.SIDES)],
        quantity=quantity,
        filled=filled,
        avg_px=optional_amount(order, "ap"),
        price=optional_amount(order, "p"),
        trigger_price=optional_amount(order, "tp"),
        status=status,
        reject_reason=optional_text(order, "rm") if status is OrderStatus.REJECTED else "",
        version=mapping.version(ms, status),
        updated_at=moment(ms),
    )


def _event_status(word: str, *, filled: Decimal, quantity: Decimal) -> OrderStatus:
    status = STATUSES[word]
    if status is not OrderStatus.TRIGGERED or filled == 0:
        return status
    return OrderStatus.FILLED if filled == quantity else OrderStatus.PARTIALLY_FILLED


def event_actual_order(order: Row) -> BrokerOrderId | None:
    """Return the name of the ordinary order in an ALGO_UPDATE, None before it triggered."""
    if order.get("ai") in (None, "", 0, "0"):
        return None
    return OrderRef(mapping.symbol(order, "s"), whole(order, "ai")).broker_order_id
