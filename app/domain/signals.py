"""Carry the wishes of strategies: what they would like, never an order."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from app.domain.errors import InvalidInputError
from app.domain.ids import InstrumentId, SignalKey
from app.domain.orders import ProtectionTerms, Side


class SignalKind(StrEnum):
    """Open legs, or close everything of the deployment (or one instrument of it)."""

    ENTER = "ENTER"
    EXIT = "EXIT"


class WhenUnfilled(StrEnum):
    """Say what becomes of an entry that rests unfilled: wait for its cancel, or follow the market until then.

    CHASE moves the limit at most CHASE_STEPS times, a bounded step each; CONVERT moves it once, to wherever
    the market trades: what a market order is at venues that protect it. Both within `valid_until` and the
    leg's time, where the broker changes orders in place.
    """

    CANCEL = "CANCEL"
    CHASE = "CHASE"
    CONVERT = "CONVERT"


CHASE_STEPS = 3
CHASE_AFTER_S = 1.5
LEG_TIMEOUT_S = Decimal(10)
"""How long an entry may stay unfilled when its signal does not say; it is marketable when it is sent."""
_MAX_LEG_TIMEOUT_S = Decimal(300)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalLeg:
    """Wish one leg. `lots` > 0; `reference_price` is the price that the strategy saw.

    `is_hedge` legs are filled before any other is sent and, where the signal is undone, closed last.
    Without `protection` they must be bought options: the premium bounds the loss, and a stop would leave
    bare what they cover.
    """

    instrument_id: InstrumentId
    side: Side
    lots: int
    reference_price: Decimal
    protection: ProtectionTerms | None = None
    is_hedge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Wish something.

    `key` is unique within the deployment and derived from facts (date, rule, bar), so that a rerun makes
    the same key. `valid_for_s` counts real seconds from the decision; exits ignore it.
    `instrument_id` narrows an EXIT to one instrument, None closes all. `leg_timeout_s` bounds how long a
    leg may stay unfilled, real seconds from its first order; a signal of several legs is then undone.
    """

    key: SignalKey
    kind: SignalKind
    reason: str
    valid_for_s: Decimal
    legs: tuple[SignalLeg, ...] = ()
    instrument_id: InstrumentId | None = None
    leg_timeout_s: Decimal = LEG_TIMEOUT_S
    when_unfilled: WhenUnfilled = WhenUnfilled.CANCEL

    def __post_init__(self) -> None:
        if not 0 < self.leg_timeout_s <= _MAX_LEG_TIMEOUT_S:
            raise InvalidInputError(
                f"leg_timeout_s: expected above 0 and up to {_MAX_LEG_TIMEOUT_S}, got {self.leg_timeout_s}"
            )
