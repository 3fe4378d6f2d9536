"""Value positions with the latest marks, once for all who look, and add them up per currency."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final, Protocol

from app.db.views import AnyRow
from app.domain.charges import Charge, ChargeSum, add_charges
from app.domain.ids import InstrumentId
from app.domain.markets import INR, Currency, currency_of
from app.domain.numbers import ZERO
from app.domain.positions import Valued, pnl, realized_pnl, unrealized_pnl
from app.domain.risk.net_pnl import NetPnl
from app.services.costs import LegId


class MarkSource(StrEnum):
    """Name the price that open positions are valued at.

    LAST_PRICE is the last traded price that the venue's feed told; a closed position needs none.
    """

    LAST_PRICE = "LAST_PRICE"
    NONE_NEEDED = "NONE_NEEDED"
    MISSING = "MISSING"


class ChargeBasis(StrEnum):
    """Say how charges are known: reckoned from dated rates, told by the broker, or some of each."""

    NONE = "NONE"
    MODEL = "MODEL"
    BROKER = "BROKER"
    MIXED = "MIXED"


class Leg(Valued, Protocol):
    """A leg with its instrument; `currency` is what the contract master lists, None without one."""

    @property
    def instrument_id(self) -> str: ...
    @property
    def currency(self) -> str | None: ...


NO_CHARGES: Final = ChargeSum()


@dataclass(frozen=True, slots=True, kw_only=True)
class LegPnl:
    """Value one leg before charges; None where an open position has no mark yet. `net` is after charges."""

    currency: Currency
    mark: Decimal | None
    mark_source: MarkSource
    realized: Decimal | None
    unrealized: Decimal | None
    total: Decimal | None
    charged: ChargeSum = NO_CHARGES

    @property
    def charges(self) -> Decimal:
        """Charges in the leg's own currency; those in others stand in the sums of theirs."""
        return self.charged.total(self.currency)

    @property
    def net(self) -> Decimal | None:
        """Total less charges in the same currency."""
        return None if self.total is None else self.total - self.charges


@dataclass(frozen=True, slots=True, kw_only=True)
class PnlSum:
    """Add up legs of one currency; `unmarked` open legs are missing, so it is only complete at zero.

    `total`, `realized` and `unrealized` are before charges, `net` is total less charges. `uncharged` executed
    orders have no rates, so their charges are missing. `unconfirmed` charges rest on rates without a primary
    source.
    """

    currency: Currency
    total: Decimal
    realized: Decimal
    unrealized: Decimal
    unmarked: int
    charges: Decimal = ZERO
    lines: Mapping[Charge, Decimal] = field(default_factory=dict)
    basis: ChargeBasis = ChargeBasis.NONE
    unconfirmed: tuple[Charge, ...] = ()
    uncharged: int = 0

    @property
    def net(self) -> Decimal:
        """Profit and loss after charges."""
        return self.total - self.charges


def value_leg(leg: Leg, marks: Mapping[str, Decimal], charged: ChargeSum = NO_CHARGES) -> LegPnl:
    """Return a leg's profit and loss, in the currency that its instrument is quoted in.

    Raises:
        InvalidInputError: the instrument's id does not end with a venue.
    """
    currency = currency_of(InstrumentId(leg.instrument_id), leg.currency)
    mark = marks.get(leg.instrument_id) if leg.net_qty else None
    total = realized = unrealized = None
    if leg.net_qty == 0:
        source, realized, unrealized, total = MarkSource.NONE_NEEDED, leg.cash, ZERO, leg.cash
    elif mark is None:
        source = MarkSource.MISSING
    else:
        source = MarkSource.LAST_PRICE
        total, realized, unrealized = pnl(leg, mark), realized_pnl(leg), unrealized_pnl(leg, mark)
    return LegPnl(
        currency=currency,
        mark=mark,
        mark_source=source,
        realized=realized,
        unrealized=unrealized,
        total=total,
        charged=charged,
    )


class PlacedLeg(Leg, Protocol):
    """A leg that says whose it is."""

    @property
    def deployment_id(self) -> int: ...


def value_legs(
    legs: Iterable[AnyRow] | Iterable[PlacedLeg],
    marks: Mapping[str, Decimal],
    charges: Mapping[LegId, ChargeSum],
) -> list[LegPnl]:
    """Value rows of legs, each with its charges."""
    return [
        value_leg(leg, marks, charges.get((leg.deployment_id, leg.instrument_id), NO_CHARGES)) for leg in legs
    ]


def net_of(values: Iterable[LegPnl], currency: Currency) -> NetPnl:
    """Return what legs earned or lost in one currency after charges: the number that loss limits judge.

    A leg of another currency, or without a price, adds its charges in this currency and nothing else: callers
    say what they take such a sum for.
    """
    given = list(values)
    priced = [(v.realized, v.unrealized) for v in given if v.currency == currency]
    return NetPnl(
        realized=sum((realized for realized, _ in priced if realized is not None), ZERO),
        unrealized=sum((unrealized for _, unrealized in priced if unrealized is not None), ZERO),
        charges=sum((value.charged.total(currency) for value in given), ZERO),
        estimated=sum(value.charged.modeled for value in given),
        uncharged=sum(value.charged.uncharged for value in given),
    )


def add_up(values: Iterable[LegPnl]) -> list[PnlSum]:
    """Return one sum per currency, rupees first, the others by name; zero rupees when there is no leg.

    A fee in a currency that nothing was earned in (BNB) makes a sum of its own.
    """
    by_currency: dict[Currency, list[LegPnl]] = {}
    charged: dict[Currency, list[ChargeSum]] = {}
    for value in values:
        by_currency.setdefault(value.currency, []).append(value)
        for currency in {value.currency, *value.charged.currencies}:
            charged.setdefault(currency, []).append(value.charged)
    found = {*by_currency, *charged} or {INR}
    ordered = sorted(found, key=lambda currency: (currency != INR, currency))
    return [_sum_of(c, by_currency.get(c, []), add_charges(charged.get(c, []))) for c in ordered]


def _sum_of(currency: Currency, values: Iterable[LegPnl], charged: ChargeSum) -> PnlSum:
    total = realized = ZERO
    unmarked = 0
    for value in values:
        if value.total is None or value.realized is None:
            unmarked += 1
            continue
        total += value.total
        realized += value.realized
    lines = {charge: amount for (of, charge), amount in sorted(charged.amounts.items()) if of == currency}
    return PnlSum(
        currency=currency,
        total=total,
        realized=realized,
        unrealized=total - realized,
        unmarked=unmarked,
        charges=charged.total(currency),
        lines=lines,
        basis=_basis(charged),
        unconfirmed=tuple(sorted(charged.unconfirmed & lines.keys())),
        uncharged=charged.uncharged,
    )


def _basis(charged: ChargeSum) -> ChargeBasis:
    match bool(charged.modeled), bool(charged.reported):
        case True, True:
            return ChargeBasis.MIXED
        case True, False:
            return ChargeBasis.MODEL
        case False, True:
            return ChargeBasis.BROKER
        case _:
            return ChargeBasis.NONE
