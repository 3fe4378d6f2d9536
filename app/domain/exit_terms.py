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
    """Say what a distance is counted in: price points, or a fraction of a price."""

    POINTS = "POINTS"
    FRACTION = "FRACTION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """Hold a positive distance between two prices: 5 points, or 0.05 of a price."""

    value: Decimal
    unit: DistanceUnit

    def __post_init__(self) -> None:
        most = 10 if self.unit is DistanceUnit.FRACTION else 10**9
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """Follow the best price since the entry at a distance; a fraction of the distance is of that price.

    `step` is the least by which the trail moves the stop and `after` the gain from which on it works, both
    in the distance's unit; a fraction of them is of the entry price. An ATR chandelier is a distance in
    points: the multiple of the true range as it was at the entry.
    """

    distance: Distance
    step: Decimal = ZERO
    after: Decimal = ZERO

    def __post_init__(self) -> None:
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
            more = {"step": str(self.trail.step), "after": str(self.trail.after)}
            found["trail"] = _distance_to_mapping(self.trail.distance) | more
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
            trail=None
            if trail is None
            else Trail(
                distance=_distance(trail),
                step=parse_decimal(trail["step"], name="trail step"),
                after=parse_decimal(trail["after"], name="trail after"),
            ),
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


def _distance_to_mapping(distance: Distance) -> dict[str, str]:
    return {"value": str(distance.value), "unit": distance.unit.value}


def _distance(stored: Mapping[str, Any]) -> Distance:
    return Distance(value=parse_decimal(stored["value"], name="distance"), unit=DistanceUnit(stored["unit"]))
