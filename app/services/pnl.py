"""Value positions with the latest marks, once for all who look."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from app.domain.numbers import ZERO


class Leg(Protocol):
    """What valuing needs of a leg; `cash` is what its fills brought in (sells) less what they cost (buys)."""

    @property
    def instrument_id(self) -> str: ...
    @property
    def net_qty(self) -> Decimal: ...
    @property
    def entry_px(self) -> Decimal: ...
    @property
    def cash(self) -> Decimal: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LegPnl:
    """Value one leg; None where an open position has no mark yet."""

    mark: Decimal | None
    realized: Decimal | None
    unrealized: Decimal | None
    total: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PnlSum:
    """Add up legs; `unmarked` open legs are not in the sum, so it is only complete at zero."""

    total: Decimal
    realized: Decimal
    unrealized: Decimal
    unmarked: int


def value_leg(leg: Leg, marks: Mapping[str, Decimal]) -> LegPnl:
    """Return a leg's profit and loss before fees, in the instrument's currency."""
    if leg.net_qty == 0:
        return LegPnl(mark=None, realized=leg.cash, unrealized=ZERO, total=leg.cash)
    mark = marks.get(leg.instrument_id)
    if mark is None:
        return LegPnl(mark=None, realized=None, unrealized=None, total=None)
    total = leg.cash + leg.net_qty * mark
    unrealized = leg.net_qty * (mark - leg.entry_px)
    return LegPnl(mark=mark, realized=total - unrealized, unrealized=unrealized, total=total)


def add_up(values: Iterable[LegPnl]) -> PnlSum:
    """Return the sum of valued legs."""
    total = realized = ZERO
    unmarked = 0
    for value in values:
        if value.total is None or value.realized is None:
            unmarked += 1
            continue
        total += value.total
        realized += value.realized
    return PnlSum(total=total, realized=realized, unrealized=total - realized, unmarked=unmarked)
