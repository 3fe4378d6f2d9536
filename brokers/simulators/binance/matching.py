"""Decide, from the current quote alone, whether an order triggers and what it fills with."""

from decimal import ROUND_FLOOR, Decimal

from brokers.simulators.binance.orders import ZERO
from brokers.simulators.binance.tape import Quote, to_step

_STOPS = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "STOP", "STOP_MARKET"})
_TAKES = frozenset({"TAKE_PROFIT", "TAKE_PROFIT_LIMIT", "TAKE_PROFIT_MARKET"})

Parts = list[tuple[Decimal, Decimal]]  # (price, quantity)


def triggers(kind: str, side: str, stop: Decimal, last: Decimal) -> bool:
    """Return whether the last price reached the trigger of a stop or take-profit order.

    Raises: ValueError for a kind that has no trigger.
    """
    if kind in _STOPS:
        return last >= stop if side == "BUY" else last <= stop
    if kind in _TAKES:
        return last <= stop if side == "BUY" else last >= stop
    raise ValueError(f"order type {kind} has no trigger")


def crosses(side: str, price: Decimal, quote: Quote) -> bool:
    """Return whether a limit price meets the other side of the book."""
    return price >= quote.ask if side == "BUY" else price <= quote.bid


def incoming(side: str, qty: Decimal, limit: Decimal | None, levels: Parts) -> Parts:
    """Return what an incoming order takes from the book; None as limit takes any price."""
    parts: Parts = []
    for price, size in levels:
        beyond = limit is not None and (price > limit if side == "BUY" else price < limit)
        if qty <= 0 or beyond:
            break
        part = min(qty, size)
        parts.append((price, part))
        qty -= part
    return parts


def spend(amount: Decimal, step: Decimal, levels: Parts) -> Decimal:
    """Return the base quantity that an amount of quote currency buys from the book, on the step."""
    qty = ZERO
    for price, size in levels:
        part = min(to_step(amount / price, step, ROUND_FLOOR), size)
        qty += part
        amount -= part * price
        if part < size:
            break
    return qty


def halves(qty: Decimal, step: Decimal) -> tuple[Decimal, Decimal]:
    """Return a quantity in two parts on the step, the second 0 when it cannot be split."""
    first = max(to_step(qty / 2, step, ROUND_FLOOR), step)
    return (first, qty - first) if first < qty else (qty, ZERO)
