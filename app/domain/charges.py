"""Reckon what executed orders cost: taxes, exchange charges and fees by their dated rates. Pure.

A rate is a row of a dated table: the rows of one charge with the newest date up to the day of the trade
hold, all earlier rows of that charge do not. Each line names its currency; lines of two currencies are never
added. The sources stand in the rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final

from app.domain.errors import InvalidInputError, NotFoundError
from app.domain.instruments import InstrumentKind, OptionRight, OptionTerms, Venue
from app.domain.markets import Currency
from app.domain.numbers import ZERO, Rounding, parse_exact, round_to_step
from app.domain.orders import Side

RUPEE_STEP: Final = Decimal("0.0001")
"""Four decimals for each executed order; whole paise only in the report of the day."""
COIN_STEP: Final = Decimal("0.00000001")
_ONE: Final = Decimal(1)


class Charge(StrEnum):
    """Name what is charged."""

    BROKERAGE = "brokerage"
    STT = "stt"
    TRANSACTION = "transaction"
    IPFT = "ipft"
    SEBI = "sebi"
    STAMP = "stamp"
    GST = "gst"
    TRADE_FEE = "trade_fee"
    COMMISSION = "commission"
    FUNDING = "funding"
    SWAP = "swap"


_TAXED = frozenset({Charge.BROKERAGE, Charge.TRANSACTION, Charge.IPFT, Charge.SEBI})


class Basis(StrEnum):
    """Say what a rate is applied to.

    TURNOVER is price times quantity, SERVICES the charges that GST is due on, CONTRACT one whole contract of
    the venue, INTRINSIC the intrinsic value of an exercised option.
    """

    TURNOVER = "turnover"
    SERVICES = "services"
    CONTRACT = "contract"
    INTRINSIC = "intrinsic"


class Product(StrEnum):
    """Tell apart what rates are told for."""

    OPTION = "OPTION"
    FUTURE = "FUTURE"
    SPOT = "SPOT"
    PERPETUAL = "PERPETUAL"
    FOREX = "FOREX"


class Liquidity(StrEnum):
    """Say whether an order rested and gave a price, or took one."""

    MAKER = "MAKER"
    TAKER = "TAKER"


class NoRatesError(NotFoundError):
    """No table tells the rates of this market on this day."""

    code = "no_rates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Hold one row of a table. `amount` is a fraction, or money of `currency` for each contract.

    `side` and `liquidity` None mean both. `is_confirmed` is False where no primary source was seen.
    """

    charge: Charge
    venue: Venue
    product: Product
    basis: Basis
    amount: Decimal
    valid_from: date
    source: str
    side: Side | None = None
    liquidity: Liquidity | None = None
    currency: Currency | None = None
    is_confirmed: bool = True

    def __post_init__(self) -> None:
        if not self.amount.is_finite() or self.amount < 0:
            raise InvalidInputError(f"{self.charge}: expected an amount from zero, got {self.amount}")
        if (self.basis is Basis.CONTRACT) != (self.currency is not None):
            raise InvalidInputError(
                f"{self.charge}: expected a currency for money per contract and only there"
            )

    def binds(self, side: Side, liquidity: Liquidity) -> bool:
        """Whether the row is about such an order."""
        return self.side in (None, side) and self.liquidity in (None, liquidity)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateBook:
    """Hold the rows of all markets and dates."""

    rates: tuple[Rate, ...]

    def in_force(self, venue: Venue, product: Product, day: date) -> tuple[Rate, ...]:
        """Return the rows that hold on a day.

        Raises:
            NoRatesError: none does; a charge of zero would be a guess.
        """
        rows = [r for r in self.rates if (r.venue, r.product) == (venue, product) and r.valid_from <= day]
        newest: dict[tuple[Charge, Basis], date] = {}
        for row in rows:
            key = (row.charge, row.basis)
            newest[key] = max(row.valid_from, newest.get(key, row.valid_from))
        if not rows:
            raise NoRatesError(f"expected rates of {venue} {product} on {day}, found none")
        return tuple(row for row in rows if row.valid_from == newest[row.charge, row.basis])


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTerms:
    """Hold what an account pays by agreement; None keeps the table's rate.

    `brokerage` is money for each executed order (zero at Kotak's API). `fee_discount` is the part of a maker
    or taker fee that is forgiven (0.25 at Binance when fees are paid in BNB). `commission` is money per
    contract and side (forex).
    """

    brokerage: Decimal = ZERO
    maker_rate: Decimal | None = None
    taker_rate: Decimal | None = None
    fee_discount: Decimal = ZERO
    commission: Decimal | None = None

    def __post_init__(self) -> None:
        for name in ("brokerage", "maker_rate", "taker_rate", "commission"):
            value: Decimal | None = getattr(self, name)
            if value is not None and (not value.is_finite() or value < 0):
                raise InvalidInputError(f"{name}: expected a number from zero, got {value}")
        if not self.fee_discount.is_finite() or not 0 <= self.fee_discount <= 1:
            raise InvalidInputError(f"fee_discount: expected a part from 0 to 1, got {self.fee_discount}")

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> "AccountTerms":
        """Read the terms out of an account's settings; other settings are left alone.

        Raises:
            InvalidInputError: a value that is not exact (text or whole number) or out of range.
        """
        names = [name for name in TERM_NAMES if values.get(name) is not None]
        return cls(**{name: parse_exact(name, values[name]) for name in names})

    def own_rate(self, rate: Rate) -> Decimal | None:
        """Return what this account agreed on instead of a row, None where the row holds."""
        if rate.charge is Charge.COMMISSION:
            return self.commission
        if rate.charge is not Charge.TRADE_FEE:
            return None
        return self.maker_rate if rate.liquidity is Liquidity.MAKER else self.taker_rate


TERM_NAMES: Final = ("brokerage", "maker_rate", "taker_rate", "fee_discount", "commission")


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Describe what was executed of one order.

    `turnover` is the sum of price times quantity, `contracts` the quantity in whole contracts of the venue.
    `orders` is 0 for a further part of an order that was charged already. Without a word of the venue an
    order of ours takes liquidity: that is never cheaper.
    """

    side: Side
    turnover: Decimal
    contracts: Decimal
    currency: Currency
    liquidity: Liquidity = Liquidity.TAKER
    orders: int = 1
    step: Decimal = RUPEE_STEP

    def __post_init__(self) -> None:
        if not self.turnover.is_finite() or min(self.turnover, self.contracts, Decimal(self.orders)) < 0:
            raise InvalidInputError(
                f"execution: expected turnover, contracts and orders from zero, "
                f"got {self.turnover}, {self.contracts} and {self.orders}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeLine:
    """Tell one charge in one currency, and whether its rate was seen in a primary source."""

    charge: Charge
    amount: Decimal
    currency: Currency
    is_confirmed: bool = True


def charges_of(execution: Execution, rates: Sequence[Rate], terms: AccountTerms) -> tuple[ChargeLine, ...]:
    """Return what an executed order costs, a line for each charge that is not zero.

    Per line: turnover (or contracts) times rate; GST on the unrounded brokerage, transaction, IPFT and SEBI
    charges; each line then rounded to the step, half up.
    """
    raw = [(Charge.BROKERAGE, terms.brokerage * execution.orders, execution.currency, True)]
    gst: list[Rate] = []
    for rate in rates:
        if rate.basis is Basis.SERVICES:
            gst.append(rate)
        elif rate.basis is not Basis.INTRINSIC and rate.binds(execution.side, execution.liquidity):
            raw.append(_line(rate, execution, terms))
    services = sum((amount for charge, amount, _, _ in raw if charge in _TAXED), ZERO)
    raw += [(rate.charge, services * rate.amount, execution.currency, rate.is_confirmed) for rate in gst]
    return tuple(
        ChargeLine(charge=charge, amount=rounded, currency=currency, is_confirmed=is_confirmed)
        for charge, amount, currency, is_confirmed in raw
        if (rounded := round_to_step(amount, execution.step, Rounding.NEAREST))
    )


def _line(rate: Rate, execution: Execution, terms: AccountTerms) -> tuple[Charge, Decimal, Currency, bool]:
    own = terms.own_rate(rate)
    amount = rate.amount if own is None else own
    if rate.charge is Charge.TRADE_FEE:
        amount *= _ONE - terms.fee_discount
    base = execution.contracts if rate.basis is Basis.CONTRACT else execution.turnover
    currency = execution.currency if rate.currency is None else rate.currency
    return rate.charge, base * amount, currency, rate.is_confirmed or own is not None


def intrinsic_value(option: OptionTerms, settlement: Decimal) -> Decimal:
    """Return what an option is worth at its settlement price, zero out of the money."""
    is_call = option.right is OptionRight.CALL
    return max(settlement - option.strike if is_call else option.strike - settlement, ZERO)


def exercise_charges(
    intrinsic: Decimal, quantity: Decimal, rates: Sequence[Rate], *, currency: Currency
) -> tuple[ChargeLine, ...]:
    """Return what the holder of an option that expires in the money pays: STT on intrinsic value by quantity.

    Only a long position pays it; the writer paid on the premium when it was sold.
    """
    lines = []
    for rate in rates:
        amount = round_to_step(intrinsic * quantity * rate.amount, RUPEE_STEP, Rounding.NEAREST)
        if rate.basis is Basis.INTRINSIC and amount:
            line = ChargeLine(
                charge=rate.charge, amount=amount, currency=currency, is_confirmed=rate.is_confirmed
            )
            lines.append(line)
    return tuple(lines)


_PRODUCTS: Final = {
    InstrumentKind.OPTION: Product.OPTION,
    InstrumentKind.SPOT: Product.SPOT,
    InstrumentKind.PERPETUAL: Product.PERPETUAL,
    InstrumentKind.FOREX: Product.FOREX,
}


def product_of(kind: InstrumentKind) -> Product:
    """Return what rates of an instrument are listed under; raises NoRatesError for what cannot be traded."""
    product = _PRODUCTS.get(kind)
    if product is None:
        raise NoRatesError(f"expected something that is traded, got {kind}")
    return product


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeSum:
    """Add up the charges of many orders and of holding: by charge and currency, and how they are known.

    `modeled` and `reported` count executed orders and bookings, `uncharged` the orders of which no table
    tells the rates: their charges are missing in the sum. A negative amount was earned.
    """

    amounts: Mapping[tuple[Currency, Charge], Decimal] = field(default_factory=dict)
    unconfirmed: frozenset[Charge] = frozenset()
    modeled: int = 0
    reported: int = 0
    uncharged: int = 0

    @property
    def currencies(self) -> frozenset[Currency]:
        """Every currency that something was charged in."""
        return frozenset(currency for currency, _ in self.amounts)

    def total(self, currency: Currency) -> Decimal:
        """Return all charges in one currency."""
        return sum((amount for (of, _), amount in self.amounts.items() if of == currency), ZERO)


def modeled(lines: Iterable[ChargeLine]) -> ChargeSum:
    """Return the sum of one order or booking whose charges were reckoned from rates."""
    given = tuple(lines)
    return ChargeSum(
        amounts=_amounts(given),
        unconfirmed=frozenset(line.charge for line in given if not line.is_confirmed),
        modeled=1,
    )


def reported(lines: Iterable[ChargeLine]) -> ChargeSum:
    """Return the sum of one order or booking whose charges the broker told itself."""
    return ChargeSum(amounts=_amounts(lines), reported=1)


def _amounts(lines: Iterable[ChargeLine]) -> dict[tuple[Currency, Charge], Decimal]:
    amounts: dict[tuple[Currency, Charge], Decimal] = {}
    for line in lines:
        key = (line.currency, line.charge)
        amounts[key] = amounts.get(key, ZERO) + line.amount
    return amounts


def add_charges(sums: Iterable[ChargeSum]) -> ChargeSum:
    """Return all sums as one."""
    given = tuple(sums)
    amounts: dict[tuple[Currency, Charge], Decimal] = {}
    for one in given:
        for key, amount in one.amounts.items():
            amounts[key] = amounts.get(key, ZERO) + amount
    return ChargeSum(
        amounts=amounts,
        unconfirmed=frozenset().union(*(one.unconfirmed for one in given)),
        modeled=sum(one.modeled for one in given),
        reported=sum(one.reported for one in given),
        uncharged=sum(one.uncharged for one in given),
    )


def round_for_report(amount: Decimal, currency: Currency) -> Decimal:
    """Return an amount as a report of the day shows it: paise, cents; coins with eight decimals."""
    step = Decimal("0.01") if currency in _HUNDREDTHS else COIN_STEP
    return round_to_step(amount, step, Rounding.NEAREST)


_HUNDREDTHS: Final = frozenset({"INR", "USD", "USDT", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD"})
