"""Decide, from the current quote alone, whether an order triggers and at what price it fills."""

from brokers.simulators.kotak.contracts import LOT_SIZE
from brokers.simulators.kotak.pricing import Quote


def triggers(side: str, trigger: int, ltp: int) -> bool:
    """Return whether the last price reached the trigger of a stop."""
    return ltp >= trigger if side == "B" else ltp <= trigger


def fill_price(side: str, limit: int, quote: Quote, *, resting: bool) -> int | None:
    """Return the price at which a limit order fills now, paise; None if it rests.

    An order that comes in takes the opposite best price; one that was resting gives its own.
    """
    if side == "B":
        if limit < quote.ask:
            return None
        return limit if resting else quote.ask
    if limit > quote.bid:
        return None
    return limit if resting else quote.bid


def first_part(leaves: int) -> int:
    """Return the first part of an order that fills in two: half its lots, at least one."""
    return max(1, leaves // LOT_SIZE // 2) * LOT_SIZE
