"""Value positions with the latest marks, once for all who look, and add them up per currency."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from app.domain.ids import InstrumentId
from app.domain.markets import Currency, currency_of
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

    currency: Currency
    mark: Decimal | None
    realized: Decimal | None
    unrealized: Decimal | None
    total: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PnlSum:
    """Add up legs of one currency; `unmarked` open legs are missing, so it is only complete at zero."""

    currency: Currency
    total: Decimal
    realized: Decimal
    unrealized: Decimal
    unmarked: int


def value_leg(leg: Leg, marks: Mapping[str, Decimal]) -> LegPnl:
    """Return a leg's profit and loss before fees, in the currency of its market.

    Raises:
        InvalidInputError: the instrument's id does not end with a venue.
    """
    currency = currency_of(InstrumentId(leg.instrument_id))
    if leg.net_qty == 0:
        return LegPnl(currency=currency, mark=None, realized=leg.cash, unrealized=ZERO, total=leg.cash)
    mark = marks.get(leg.instrument_id)
    if mark is None:
        return LegPnl(currency=currency, mark=None, realized=None, unrealized=None, total=None)
    total = leg.cash + leg.net_qty * mark
    unrealized = leg.net_qty * (mark - leg.entry_px)
    return LegPnl(
        currency=currency, mark=mark, realized=total - unrealized, unrealized=unrealized, total=total
    )


def add_up(values: Iterable[LegPnl]) -> list[PnlSum]:
    """Return one sum per currency, rupees first, the others by name; zero rupees when there is no leg."""
    by_currency: dict[Currency, list[LegPnl]] = {}
    for value in values:
        by_currency.setdefault(value.currency, []).append(value)
    if not by_currency:
        by_currency[Currency.INR] = []
    ordered = sorted(by_currency, key=lambda currency: (currency is not Currency.INR, currency))
    return [_sum_of(currency, by_currency[currency]) for currency in ordered]


def _sum_of(currency: Currency, values: Iterable[LegPnl]) -> PnlSum:
    total = realized = ZERO
    unmarked = 0
    for value in values:
        if value.total is None or value.realized is None:
            unmarked += 1
            continue
        total += value.total
        realized += value.realized
    return PnlSum(
        currency=currency, total=total, realized=realized, unrealized=total - realized, unmarked=unmarked
    )
