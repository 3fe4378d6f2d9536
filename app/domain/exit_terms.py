"""Describe how a position is left besides its first stop: target, trail, break-even, time, siblings.

The rules that these terms mean are in `app.domain.risk.exit_rules`; docs/risk.md says them in words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum
from typing import Any

from app.domain.errors import InvalidInputError
from app.domain.numbers import ZERO, parse_decimal

_MOST_SECONDS = 7 * 24 * 3600


class DistanceUnit(StrEnum):
    """Say what a distance is counted in: price points, a fraction of a price, or average true ranges."""

    POINTS = "POINTS"
    FRACTION = "FRACTION"
    RANGES = "RANGES"


_MOST = {DistanceUnit.POINTS: 10**9, DistanceUnit.FRACTION: 10, DistanceUnit.RANGES: 100}


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """Hold a positive distance between two prices: 5 points, 0.05 of a price, or 3 average true ranges."""

    value: Decimal
    unit: DistanceUnit

    def __post_init__(self) -> None:
        most = _MOST[self.unit]
        if not self.value.is_finite() or not 0 < self.value < most:
            raise InvalidInputError(
                f"distance in {self.unit}: expected between 0 and {most}, got {self.value}"
            )

    def of(self, price: Decimal) -> Decimal:
        """Return the distance in points, reckoned from a price where it is a fraction."""
        return self.scaled(self.value, price)

    def scaled(self, amount: Decimal, price: Decimal) -> Decimal:
        """Return another amount of the same unit in points."""
        return amount * price if self.unit is DistanceUnit.FRACTION else amount


def points(value: Decimal | str | int) -> Distance:
    """Return a distance in price points."""
    return Distance(value=Decimal(value), unit=DistanceUnit.POINTS)


def fraction(value: Decimal | str | int) -> Distance:
    """Return a distance as a fraction: 0.05 is 5 %."""
    return Distance(value=Decimal(value), unit=DistanceUnit.FRACTION)


def ranges(value: Decimal | str | int) -> Distance:
    """Return a distance in average true ranges."""
    return Distance(value=Decimal(value), unit=DistanceUnit.RANGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueRange:
    """Name the average true range of the leg's instrument: of so many bars of so many minutes."""

    bars: int
    minutes: int

    @property
    def name(self) -> str:
        """The indicator's name."""
        return f"atr:{self.bars}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """Follow the best price since the entry at a distance; a fraction of the distance is of that price.

    `step` is the least by which the trail moves the stop and `after` the gain from which on it works, both
    in the distance's unit; a fraction of them is of the entry price. With a `true_range` the distance is a
    multiple of its newest value (a chandelier exit), and there is neither.
    """

    distance: Distance
    step: Decimal = ZERO
    after: Decimal = ZERO
    true_range: TrueRange | None = None

    def __post_init__(self) -> None:
        if (self.distance.unit is DistanceUnit.RANGES) != (self.true_range is not None):
            raise InvalidInputError(
                f"trail: expected a true range with a distance in ranges only, got {self.true_range}"
            )
        if self.true_range is not None and (self.step, self.after) != (ZERO, ZERO):
            raise InvalidInputError(
                f"trail in ranges: expected no step and no least gain, got {self.step} and {self.after}"
            )
        if self.distance.unit is DistanceUnit.FRACTION and self.distance.value >= 1:
            raise InvalidInputError(f"trail: expected a fraction below 1, got {self.distance.value}")
        _check_from_zero("trail step", self.step)
        _check_from_zero("trail after", self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """Move the stop to the entry price once the best price has gained `trigger`.

    `offset` is what the stop then secures, in the trigger's unit, less than the trigger; fractions are of the
    entry price.
    """

    trigger: Distance
    offset: Decimal = ZERO

    def __post_init__(self) -> None:
        _check_own_unit("break-even", self.trigger)
        _check_from_zero("break-even offset", self.offset)
        if self.offset >= self.trigger.value:
            raise InvalidInputError(
                f"break-even: expected an offset below the trigger {self.trigger.value}, got {self.offset}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitTerms:
    """Hold the exit rules of one leg; what is None or False is no rule. At least one must be given.

    `target` is a gain; a fraction is of the entry price. `time_stop_s` counts the platform's seconds since
    the position was opened. `follows_siblings` moves the stop to the entry price once another leg of the
    same signal is stopped.
    """

    target: Distance | None = None
    trail: Trail | None = None
    break_even: BreakEven | None = None
    time_stop_s: int | None = None
    follows_siblings: bool = False

    def __post_init__(self) -> None:
        if self.time_stop_s is not None and not 0 < self.time_stop_s <= _MOST_SECONDS:
            raise InvalidInputError(
                f"time_stop_s: expected between 1 and {_MOST_SECONDS}, got {self.time_stop_s}"
            )
        if self.target is not None:
            _check_own_unit("target", self.target)
        if not self.to_mapping():
            raise InvalidInputError("exit terms: expected at least one rule, got none")

    @property
    def moves_stops(self) -> bool:
        """Whether a rule depends on the best price seen."""
        return self.trail is not None or self.break_even is not None

    def to_mapping(self) -> dict[str, Any]:
        """Return the terms for the store, as JSON with exact numbers in text."""
        found: dict[str, Any] = {}
        if self.target is not None:
            found["target"] = _distance_to_mapping(self.target)
        if self.trail is not None:
            found["trail"] = _trail_to_mapping(self.trail)
        if self.break_even is not None:
            more = {"offset": str(self.break_even.offset)}
            found["break_even"] = _distance_to_mapping(self.break_even.trigger) | more
        if self.time_stop_s is not None:
            found["time_stop_s"] = self.time_stop_s
        if self.follows_siblings:
            found["follows_siblings"] = True
        return found

    @classmethod
    def from_mapping(cls, stored: Mapping[str, Any]) -> "ExitTerms":
        """Read what `to_mapping` wrote; raises InvalidInputError for anything else."""
        unknown = sorted(set(stored) - {field.name for field in fields(cls)})
        if unknown:
            raise InvalidInputError(f"exit terms: expected known rules, got {', '.join(unknown)}")
        target, trail, even = stored.get("target"), stored.get("trail"), stored.get("break_even")
        return cls(
            target=None if target is None else _distance(target),
            trail=None if trail is None else _trail(trail),
            break_even=None
            if even is None
            else BreakEven(
                trigger=_distance(even), offset=parse_decimal(even["offset"], name="break-even offset")
            ),
            time_stop_s=stored.get("time_stop_s"),
            follows_siblings=bool(stored.get("follows_siblings", False)),
        )


def _check_from_zero(name: str, value: Decimal) -> None:
    if not value.is_finite() or value < 0:
        raise InvalidInputError(f"{name}: expected zero or more, got {value}")


def _check_own_unit(name: str, distance: Distance) -> None:
    if distance.unit is DistanceUnit.RANGES:
        raise InvalidInputError(
            f"{name}: expected points or a fraction, got true ranges: only a trail reads them"
        )


def _trail_to_mapping(trail: Trail) -> dict[str, Any]:
    found: dict[str, Any] = _distance_to_mapping(trail.distance)
    if trail.true_range is not None:
        return found | {"bars": trail.true_range.bars, "minutes": trail.true_range.minutes}
    return found | {"step": str(trail.step), "after": str(trail.after)}


def _trail(stored: Mapping[str, Any]) -> Trail:
    if "bars" in stored:
        of = TrueRange(bars=stored["bars"], minutes=stored["minutes"])
        return Trail(distance=_distance(stored), true_range=of)
    return Trail(
        distance=_distance(stored),
        step=parse_decimal(stored["step"], name="trail step"),
        after=parse_decimal(stored["after"], name="trail after"),
    )


def _distance_to_mapping(distance: Distance) -> dict[str, str]:
    return {"value": str(distance.value), "unit": distance.unit.value}


def _distance(stored: Mapping[str, Any]) -> Distance:
    return Distance(value=parse_decimal(stored["value"], name="distance"), unit=DistanceUnit(stored["unit"]))
