"""Say how hard an exit that the clock asked for is pressed, and when a person or the broker must act. Pure.

Nothing here opens exposure: each step only changes how the exit of a held position is priced, or who is told.
"""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from app.domain.instruments import Instrument
from app.domain.market_data import Tick
from app.domain.orders import OrderType
from app.domain.positions import Leg
from app.domain.pricing import marketable_limit
from app.domain.risk.exits import (
    CHASE_STEPS,
    ChangeExit,
    ExitMeans,
    ExitStep,
    LiveExit,
    PlaceExit,
    exit_side,
    next_exit_step,
)
from app.domain.time_bounds import BY_THE_CLOCK

HARDER_AFTER_S = 60.0
PERSON_AFTER_S = 180.0
"""Both in real seconds since the position was asked to leave; by default the broker acts after 480."""
HARDER_STEP = 2 * CHASE_STEPS + 1
"""How far an overdue exit reaches: twice as far from the market as the last step of the usual chase."""


class Urgency(StrEnum):
    """Order the steps: the usual chase, a wider one, a person, the broker's own square-off."""

    USUAL = "USUAL"
    HARDER = "HARDER"
    PERSON = "PERSON"
    BROKER = "BROKER"

    @property
    def needs_person(self) -> bool:
        """Whether somebody must be told."""
        return self in (Urgency.PERSON, Urgency.BROKER)


def urgency_of(
    reason: str | None, *, is_due: bool, waited_s: float, now: datetime, broker_at: datetime | None = None
) -> Urgency:
    """Return how urgent the exit of a position is.

    Args:
        reason: why it shall be flat, None while it may stay.
        is_due: whether the clock lets it leave now, whatever the reason was that came first.
        waited_s: real seconds since it was asked to leave.
        now: the platform's time.
        broker_at: from when the broker closes it, None where it does not.
    """
    if reason is None or not (is_due or reason in BY_THE_CLOCK):
        return Urgency.USUAL
    if broker_at is not None and now >= broker_at:
        return Urgency.BROKER
    if waited_s >= PERSON_AFTER_S:
        return Urgency.PERSON
    return Urgency.HARDER if waited_s >= HARDER_AFTER_S else Urgency.USUAL


def next_overdue_step(
    leg: Leg, live: LiveExit | None, *, instrument: Instrument, tick: Tick | None, means: ExitMeans
) -> ExitStep | None:
    """Return the step of a leg that should have been out for a while: the usual one at a wider price.

    The price reaches as far as `HARDER_STEP`, but never beyond what the venue takes, and follows the market
    without becoming slower.
    """
    quick = None if live is None else replace(live, chase_step=0)
    step = next_exit_step(
        leg, quick, instrument=instrument, tick=tick, stop=None, wants_flat=True, means=means
    )
    if tick is None or not isinstance(step, PlaceExit | ChangeExit) or step.order_type is not OrderType.LIMIT:
        return step
    price = marketable_limit(exit_side(leg), tick, instrument=instrument, step=HARDER_STEP)
    if isinstance(step, PlaceExit) or live is None:
        return replace(step, price=price)
    return replace(step, price=price, chase_step=live.chase_step + 1)
