"""Size entries: how many times the legs of a signal are entered, by one of five models. Pure.

The legs of a signal keep their ratio: a straddle sized leg by leg would be no straddle. One *unit* is each
leg's lots divided by their greatest common divisor; a model says how many whole units are entered, rounded
down and never above the cap. Less than one unit is nothing, never one; what a model needs and nobody knows is
never guessed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum
from math import gcd
from typing import Final

from app.domain.errors import InvalidInputError
from app.domain.ids import InstrumentId
from app.domain.instruments import Instrument, InstrumentKind
from app.domain.markets import Money
from app.domain.numbers import ZERO, parse_exact
from app.domain.orders import Side
from app.domain.signals import Signal, SignalLeg
from app.domain.strategy import MarketView


class SizingModel(StrEnum):
    """Name how the number of units is found."""

    FIXED_LOTS = "fixed_lots"
    FIXED_RISK = "fixed_risk"
    PERCENT_OF_CAPITAL = "percent_of_capital"
    VOLATILITY_TARGET = "volatility_target"
    MULTIPLIER = "multiplier"


_NEEDS: Final = {
    SizingModel.FIXED_LOTS: "lots",
    SizingModel.FIXED_RISK: "fraction",
    SizingModel.PERCENT_OF_CAPITAL: "fraction",
    SizingModel.VOLATILITY_TARGET: "fraction",
    SizingModel.MULTIPLIER: "factor",
}
_MOST: Final = {"lots": Decimal(10_000), "fraction": Decimal(1), "factor": Decimal(1_000)}
_WHOLE: Final = frozenset({"lots", "max_lots"})


class SizingFault(StrEnum):
    """Say why nothing is entered."""

    INPUT_MISSING = "INPUT_MISSING"
    BELOW_ONE_LOT = "BELOW_ONE_LOT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """Hold a model, its number (lots, fraction of the capital, or factor) and a cap on the lots of a leg."""

    model: SizingModel
    number: Decimal
    max_lots: Decimal | None = None

    def __post_init__(self) -> None:
        name = _NEEDS[self.model]
        _check(name, self.number, most=_MOST[name])
        if self.max_lots is not None:
            _check("max_lots", self.max_lots, most=_MOST["lots"])

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> "Sizing | None":
        """Read a model by name from a deployment's settings; None for an empty mapping: lots as wished.

        Raises:
            InvalidInputError: an unknown model or name, a number that is missing, not exact or out of range.
        """
        if not values:
            return None
        try:
            model = SizingModel(str(values.get("model", "")))
        except ValueError as e:
            raise InvalidInputError(
                f"model: expected one of {', '.join(SizingModel)}, got {values.get('model')!r}"
            ) from e
        name = _NEEDS[model]
        unknown = sorted(set(values) - {"model", name, "max_lots"})
        if unknown:
            raise InvalidInputError(
                f"sizing: expected model, {name} and max_lots for {model}, got {', '.join(unknown)}"
            )
        if name not in values:
            raise InvalidInputError(f"sizing: expected {name} for {model}, got none")
        most = values.get("max_lots")
        return cls(
            model=model,
            number=parse_exact(name, values[name]),
            max_lots=None if most is None else parse_exact("max_lots", most),
        )


def _check(name: str, value: Decimal, *, most: Decimal) -> None:
    if not value.is_finite() or not 0 < value <= most:
        raise InvalidInputError(f"{name}: expected above 0 and up to {most}, got {value}")
    if name in _WHOLE and value != value.to_integral_value():
        raise InvalidInputError(f"{name}: expected a whole number, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LegFacts:
    """Hold what is known of one wished leg; money is per unit of the instrument, None where nobody knows.

    `risk` is what is lost at the stop (a bought option without one: its price), `atr` the average true range
    that the strategy saw.
    """

    instrument_id: InstrumentId
    lots: int
    lot_size: Decimal
    currency: str
    price: Decimal | None
    risk: Decimal | None
    atr: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """Tell the lots of each leg, in their order; `exact_units` before rounding and the cap."""

    lots: tuple[int, ...]
    exact_units: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSized:
    """Tell why nothing is entered."""

    fault: SizingFault
    message: str


class _MissingError(Exception):
    """Carry what a model needs and nobody knows."""


def size(sizing: Sizing, legs: Sequence[LegFacts], *, capital: Money | None) -> Sized | NotSized:
    """Return the lots of each leg.

    With C the capital, f the fraction and q the quantity of a leg in one unit, the units are:
    fixed_lots: the number; fixed_risk: C f / sum(q * loss at the stop); percent_of_capital:
    C f / sum(q * price); volatility_target: C f / sum(q * ATR), so that a move of one ATR in all legs moves
    the account by f; multiplier: the greatest common divisor of the wished lots times the factor.
    """
    divisor = gcd(*(leg.lots for leg in legs))
    ratios = tuple(leg.lots // divisor for leg in legs)
    try:
        units = _units(sizing, legs, ratios=ratios, capital=capital, divisor=divisor)
    except _MissingError as e:
        return NotSized(fault=SizingFault.INPUT_MISSING, message=f"{sizing.model}: {e}")
    whole = int(units.to_integral_value(ROUND_FLOOR))
    if sizing.max_lots is not None:
        whole = min(whole, int(sizing.max_lots // max(ratios)))
    if whole < 1:
        cap = "no cap" if sizing.max_lots is None else f"a cap of {sizing.max_lots:f} lots"
        return NotSized(
            fault=SizingFault.BELOW_ONE_LOT,
            message=f"{sizing.model}: expected enough for {max(ratios)} lot(s) of a leg, "
            f"got {units:.4f} of that and {cap}",
        )
    return Sized(lots=tuple(whole * ratio for ratio in ratios), exact_units=units)


def _units(
    sizing: Sizing, legs: Sequence[LegFacts], *, ratios: Sequence[int], capital: Money | None, divisor: int
) -> Decimal:
    if sizing.model is SizingModel.FIXED_LOTS:
        return sizing.number
    if sizing.model is SizingModel.MULTIPLIER:
        return divisor * sizing.number
    return _budget(sizing, legs, capital) / _cost(legs, ratios, *_COSTS[sizing.model])


_COSTS: Final[Mapping[SizingModel, tuple[str, Callable[[LegFacts], Decimal | None]]]] = {
    SizingModel.FIXED_RISK: ("a stop and a price", lambda leg: leg.risk),
    SizingModel.PERCENT_OF_CAPITAL: ("a price", lambda leg: leg.price),
    SizingModel.VOLATILITY_TARGET: ("an average true range on the signal", lambda leg: leg.atr),
}
"""What each model needs of a leg: in words for people, and where it stands."""


def _budget(sizing: Sizing, legs: Sequence[LegFacts], capital: Money | None) -> Decimal:
    if capital is None:
        raise _MissingError("expected the account's setting capital, got none")
    foreign = [leg for leg in legs if leg.currency != capital.currency]
    if foreign:
        raise _MissingError(
            f"expected {foreign[0].instrument_id} quoted in {capital.currency} like the account's capital, "
            f"got {foreign[0].currency}"
        )
    return capital.amount * sizing.number


def _cost(
    legs: Sequence[LegFacts], ratios: Sequence[int], name: str, of: Callable[[LegFacts], Decimal | None]
) -> Decimal:
    cost = ZERO
    for leg, ratio in zip(legs, ratios, strict=True):
        value = of(leg)
        if value is None or not value.is_finite() or value <= 0:
            raise _MissingError(f"expected {name} for {leg.instrument_id}, got none")
        cost += ratio * leg.lot_size * value
    return cost


def size_signal(
    signal: Signal, settings: Mapping[str, object], *, market: MarketView, capital: Money | None
) -> Signal | NotSized:
    """Return the signal with the lots of its deployment's model, or why it may not be entered.

    Args: settings: the deployment's `sizing`; empty leaves the lots as they were wished.

    Raises:
        NotFoundError: a leg names an unknown instrument.
    """
    try:
        sizing = Sizing.from_mapping(settings)
    except InvalidInputError as e:  # checked when it was stored; a table that somebody changed by hand
        return NotSized(fault=SizingFault.INPUT_MISSING, message=str(e))
    if sizing is None or any(leg.lots <= 0 for leg in signal.legs):
        return signal
    sized = size(sizing, [facts_of(leg, market) for leg in signal.legs], capital=capital)
    if isinstance(sized, NotSized):
        return sized
    legs = tuple(replace(leg, lots=lots) for leg, lots in zip(signal.legs, sized.lots, strict=True))
    return replace(signal, legs=legs)


def facts_of(leg: SignalLeg, market: MarketView) -> LegFacts:
    """Return what the market and the wish tell of a leg; its price is the last one."""
    instrument, tick = market.instrument(leg.instrument_id), market.tick(leg.instrument_id)
    price = None if tick is None else tick.last
    return LegFacts(
        instrument_id=leg.instrument_id,
        lots=leg.lots,
        lot_size=instrument.lot_size,
        currency=instrument.currency,
        price=price,
        risk=None if price is None else _risk(leg, instrument, price),
        atr=leg.atr,
    )


def _risk(leg: SignalLeg, instrument: Instrument, price: Decimal) -> Decimal | None:
    if leg.protection is not None:
        return price * leg.protection.stop_fraction
    is_bought_option = leg.side is Side.BUY and instrument.kind is InstrumentKind.OPTION
    return price if is_bought_option else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Tell what one account of a group wished of a leg and what it got, in lots."""

    account: str
    wished: Decimal
    got: Decimal

    @property
    def drift(self) -> Decimal:
        """Lots got beyond what was wished; negative is short of it."""
        return self.got - self.wished

    @property
    def drift_fraction(self) -> Decimal | None:
        """The same as a part of what was wished; None where nothing was."""
        return self.drift / self.wished if self.wished else None


def widest_first(shares: Sequence[Share]) -> tuple[Share, ...]:
    """Return the shares of a group, those that drifted furthest from their wish first."""
    return tuple(sorted(shares, key=lambda share: (-abs(share.drift_fraction or ZERO), share.account)))


def wished_lots(settings: Mapping[str, object], lots: int, *, sized: Decimal) -> Decimal:
    """Return the wish for a leg before rounding: lots times the factor of a multiplier, else as sized."""
    try:
        sizing = Sizing.from_mapping(settings)
    except InvalidInputError:
        return sized
    if sizing is None or sizing.model is not SizingModel.MULTIPLIER:
        return sized
    return lots * sizing.number
