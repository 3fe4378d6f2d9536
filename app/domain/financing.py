"""Reckon what holding a position brings or costs, and whose it is: funding, swaps of forex. Pure."""

from collections.abc import Hashable, Mapping
from datetime import date
from decimal import Decimal
from typing import TypeVar

from app.domain.numbers import ZERO, Rounding, round_to_step

_Holder = TypeVar("_Holder", bound=Hashable)


def funding_cash(net_qty: Decimal, mark: Decimal, rate: Decimal) -> Decimal:
    """Return what one funding brings (negative: costs): notional times rate, longs pay positive rates.

    Source: Binance USD-M futures, funding of a position.
    """
    return -net_qty * mark * rate


def swap_cash(
    points: Decimal, *, point: Decimal, contract_size: Decimal, lots: Decimal, days: int
) -> Decimal:
    """Return what holding forex overnight brings (negative: costs), in the quote currency.

    Args: points: the symbol's swap of the position's side. point: size of a point. days: `swap_days`.
    Source: MetaTrader 5, swap mode "by points".
    """
    return points * point * contract_size * lots * days


def swap_days(day: date, *, triple_weekday: int) -> int:
    """Return for how many nights a position pays that is held over the end of a day, Monday is weekday 0.

    Weekends pay nothing of their own: the triple day stands for them.
    """
    if day.weekday() >= 5:
        return 0
    return 3 if day.weekday() == triple_weekday else 1


def share_out(
    taken: Decimal, holdings: Mapping[_Holder, Decimal], *, step: Decimal
) -> dict[_Holder, Decimal]:
    """Return what of one amount for a whole position falls on each of its holders; the parts add up exactly.

    A holder's part is as large as its part of the net position: who is long pays what who is short gets.
    Nobody where the position is none.

    Args: taken: what the broker took (negative: gave). holdings: signed quantities. step: of the currency.
    """
    held = {holder: quantity for holder, quantity in holdings.items() if quantity}
    net = sum(held.values(), ZERO)
    if net == 0:
        return {}
    parts = {
        holder: round_to_step(taken * quantity / net, step, Rounding.NEAREST)
        for holder, quantity in held.items()
    }
    largest = max(held, key=lambda holder: abs(held[holder]))
    parts[largest] += taken - sum(parts.values(), ZERO)
    return parts
