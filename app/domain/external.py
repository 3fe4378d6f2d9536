"""Describe what people and other programs hand in: a wish for one instrument of a deployment made for that.

A deployment of the strategy EXTERNAL wishes nothing by itself. What is handed in becomes its signals, so that
limits, sizing, protection, state and audit hold for them as for any strategy's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from app.domain.errors import InvalidInputError
from app.domain.ids import InstrumentId
from app.domain.numbers import parse_exact, plain
from app.domain.orders import ProtectionTerms, Side
from app.domain.signals import LEG_TIMEOUT_S, WhenUnfilled

EXTERNAL: Final = "external"
"""The name of the built-in strategy whose deployments take what is handed in."""
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:|@+-]{0,119}")
_MOST_VALID_S = 300
_MOST_AMOUNT = 10**9


class Door(StrEnum):
    """Name the ways in."""

    REST = "REST"
    OPENALGO = "OPENALGO"
    AMIBROKER = "AMIBROKER"
    CLI = "CLI"


class Unit(StrEnum):
    """Say what an amount counts: whole lots, or units (shares of an option, coins)."""

    LOTS = "LOTS"
    UNITS = "UNITS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Hold so many lots or units."""

    value: Decimal
    unit: Unit

    def __post_init__(self) -> None:
        if not self.value.is_finite() or abs(self.value) >= _MOST_AMOUNT:
            raise InvalidInputError(f"amount: expected a number below {_MOST_AMOUNT}, got {self.value}")
        if self.unit is Unit.LOTS and self.value % 1 != 0:
            raise InvalidInputError(f"lots: expected a whole number, got {self.value}")

    def units(self, lot_size: Decimal) -> Decimal:
        """Return it in units."""
        return self.value * lot_size if self.unit is Unit.LOTS else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Ask to hold so much, signed, whatever is held now: asking again never doubles. 0 is flat."""

    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """Ask to buy or sell so much more (> 0)."""

    side: Side
    amount: Amount

    def __post_init__(self) -> None:
        if self.amount.value <= 0:
            raise InvalidInputError(f"amount: expected above 0, got {self.amount.value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Ask to close what was entered on a side; None: whatever is held."""

    only: Side | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalWish:
    """Carry one wish.

    `key` is the caller's and unique within the deployment: the same key is the same wish, and never trades
    twice. `instrument_id` None is everything, and only to leave. `stop_fraction` None takes the
    deployment's. `valid_for_s`, real seconds, bounds when an entry may be sent; exits ignore it.

    Raises:
        InvalidInputError: any of it is out of its bounds.
    """

    key: str
    instrument_id: InstrumentId | None
    ask: Target | Trade | Leave
    reason: str = ""
    stop_fraction: Decimal | None = None
    valid_for_s: Decimal = Decimal(10)
    leg_timeout_s: Decimal = LEG_TIMEOUT_S
    when_unfilled: WhenUnfilled = WhenUnfilled.CANCEL

    def __post_init__(self) -> None:
        if _KEY.fullmatch(self.key) is None:
            raise InvalidInputError(f"key: expected 1 to 120 of A-Z a-z 0-9 . _ : | @ + -, got {self.key!r}")
        if self.instrument_id is None and not isinstance(self.ask, Leave):
            raise InvalidInputError("instrument_id: expected one to trade in, got none")
        if "\0" in f"{self.reason}{self.instrument_id}" or len(self.reason) > 500:
            raise InvalidInputError("reason: expected up to 500 characters of text")
        if not self.valid_for_s.is_finite() or not 0 < self.valid_for_s <= _MOST_VALID_S:
            raise InvalidInputError(
                f"valid_for_s: expected above 0 and up to {_MOST_VALID_S}, got {self.valid_for_s}"
            )
        if self.stop_fraction is not None:
            ProtectionTerms(stop_fraction=self.stop_fraction)

    def to_mapping(self) -> dict[str, Any]:
        """Return what makes two wishes the same, as JSON values: all but key, reason and times."""
        ask: dict[str, Any]
        if isinstance(self.ask, Leave):
            ask = {"leave": None if self.ask.only is None else self.ask.only.value}
        elif isinstance(self.ask, Target):
            ask = {"target": _text(self.ask.amount.value), "unit": self.ask.amount.unit.value}
        else:
            ask = {"side": self.ask.side.value, "amount": _text(self.ask.amount.value)}
            ask["unit"] = self.ask.amount.unit.value
        stop = None if self.stop_fraction is None else _text(self.stop_fraction)
        return {"instrument_id": self.instrument_id, "stop_fraction": stop, **ask}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalTerms:
    """Hold what a deployment says of all that is handed in.

    `instruments` None allows every contract of the day that has a price.
    """

    protection: ProtectionTerms
    instruments: frozenset[InstrumentId] | None

    @classmethod
    def from_mapping(cls, params: Mapping[str, object]) -> "ExternalTerms":
        """Read a deployment's parameters. Raises InvalidInputError for what the strategy did not check."""
        listed = params.get("instruments") or ()
        if not isinstance(listed, list | tuple):
            raise InvalidInputError(f"instruments: expected a list, got {listed!r}")
        return cls(
            protection=ProtectionTerms(
                stop_fraction=parse_exact("stop_fraction", params.get("stop_fraction"))
            ),
            instruments=frozenset(InstrumentId(str(i)) for i in listed) or None,
        )

    def allows(self, instrument_id: InstrumentId) -> bool:
        """Whether entries in an instrument may be handed in."""
        return self.instruments is None or instrument_id in self.instruments


def _text(value: Decimal) -> str:
    return f"{plain(value):f}"
