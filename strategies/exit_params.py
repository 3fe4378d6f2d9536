"""Name the parameters of exit rules once for all strategies, and turn them into terms (docs/risk.md)."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from app.domain.exit_terms import BreakEven, ExitTerms, Trail, TrueRange, fraction, points, ranges
from app.domain.numbers import ZERO

TargetFraction = Annotated[
    Decimal | None,
    Field(gt=0, lt=10, description="Leave at this gain, 0.30 = 30 % of the entry; empty: none"),
]
TrailFraction = Annotated[
    Decimal | None,
    Field(
        gt=0, lt=1, description="Keep the stop this far from the best price, 0.15 = 15 % of it; empty: off"
    ),
]
TrailAfterFraction = Annotated[
    Decimal, Field(ge=0, lt=10, description="The trail works from this gain on; 0: from the entry")
]
TrailStepFraction = Annotated[
    Decimal, Field(ge=0, lt=1, description="The trail moves the stop by this part of the entry at least")
]
BreakEvenFraction = Annotated[
    Decimal | None, Field(gt=0, lt=10, description="Stop to the entry price at this gain; empty: never")
]
TimeStop = Annotated[
    int | None, Field(ge=1, le=86_400, description="Leave so many seconds after the entry; empty: never")
]
RangesOrNone = Annotated[Decimal | None, Field(gt=0, le=50)]
"""A distance in average true ranges."""


def fraction_exits(
    *,
    target: Decimal | None = None,
    trail: Decimal | None = None,
    trail_after: Decimal = ZERO,
    trail_step: Decimal = ZERO,
    break_even: Decimal | None = None,
    time_stop_s: int | None = None,
    follows_siblings: bool = False,
) -> ExitTerms | None:
    """Return the terms of these fractions, None where no rule is asked for."""
    if (target, trail, break_even, time_stop_s) == (None,) * 4 and not follows_siblings:
        return None
    return ExitTerms(
        target=None if target is None else fraction(target),
        trail=None if trail is None else Trail(distance=fraction(trail), after=trail_after, step=trail_step),
        break_even=None if break_even is None else BreakEven(trigger=fraction(break_even)),
        time_stop_s=time_stop_s,
        follows_siblings=follows_siblings,
    )


def range_exits(
    atr: Decimal,
    *,
    target: Decimal | None = None,
    trail: Decimal | None = None,
    break_even: Decimal | None = None,
    time_stop_s: int | None = None,
    true_range: TrueRange,
) -> ExitTerms | None:
    """Return the terms of multiples of a true range; None where no rule is asked for.

    Target and break-even are points by its value now, `atr`; the trail goes on to read the newest one.
    """
    if (target, trail, break_even, time_stop_s) == (None,) * 4:
        return None

    return ExitTerms(
        target=None if target is None else points(target * atr),
        trail=None if trail is None else Trail(distance=ranges(trail), true_range=true_range),
        break_even=None if break_even is None else BreakEven(trigger=points(break_even * atr)),
        time_stop_s=time_stop_s,
    )
