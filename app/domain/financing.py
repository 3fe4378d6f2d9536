"""Reckon what holding a position brings or costs: funding of perpetuals, swaps of forex. Pure."""

from datetime import date
from decimal import Decimal


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
