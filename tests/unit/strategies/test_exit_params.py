"""Strategies hand on the exit rules that their parameters name, and none by default."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain.errors import InvalidInputError
from app.domain.exit_terms import BreakEven, ExitTerms, Trail, TrueRange, fraction, points, ranges
from app.domain.signals import Signal
from strategies.ema_cross import EmaCross, EmaCrossParams
from strategies.opening_range import OpeningRange, OpeningRangeParams
from strategies.registry import load_registry
from strategies.short_straddle import ShortStraddle, ShortStraddleParams
from tests.unit.strategies import test_ema_cross
from tests.unit.strategies.views import bar_event, tick_event, view

AT = timedelta(minutes=20)
FRACTIONS: dict[str, Any] = {
    "target_fraction": "0.5",
    "trail_fraction": "0.15",
    "trail_after_fraction": "0.2",
    "trail_step_fraction": "0.01",
    "break_even_fraction": "0.1",
    "time_stop_s": 3600,
}
TERMS = ExitTerms(
    target=fraction("0.5"),
    trail=Trail(distance=fraction("0.15"), after=Decimal("0.2"), step=Decimal("0.01")),
    break_even=BreakEven(trigger=fraction("0.1")),
    time_stop_s=3600,
)


def exits_of(signal: Signal) -> list[ExitTerms | None]:
    """Return the rules of the legs that have a stop."""
    return [leg.protection.exits for leg in signal.legs if leg.protection is not None]


def straddle(**params: Any) -> list[ExitTerms | None]:
    strategy = ShortStraddle(ShortStraddleParams(**params))
    (signal,) = strategy.on_event(tick_event(timedelta(seconds=300)), view(at=timedelta(seconds=300)))
    return exits_of(signal)


def breakout(**params: Any) -> list[ExitTerms | None]:
    strategy = OpeningRange(OpeningRangeParams(**params))
    (signal,) = strategy.on_event(bar_event(AT, "10890"), view(at=AT))
    return exits_of(signal)


def test_the_straddle_and_the_breakout_take_fractions_of_the_premium() -> None:
    assert straddle(**FRACTIONS) == [TERMS, TERMS]
    assert breakout(**FRACTIONS) == [TERMS]
    assert straddle(move_other_to_cost=True) == [ExitTerms(follows_siblings=True)] * 2


def test_the_average_cross_takes_true_ranges_as_of_its_entry() -> None:
    params: dict[str, Any] = {
        "target_atr": "6",
        "resting_trail_atr": "3",
        "break_even_atr": "2.5",
        "time_stop_s": 900,
    }
    (signal,) = test_ema_cross.ask(params=params, atr="400")

    assert exits_of(signal) == [
        ExitTerms(
            target=points(2400),
            trail=Trail(distance=ranges(3), true_range=TrueRange(bars=14, minutes=15)),
            break_even=BreakEven(trigger=points(1000)),
            time_stop_s=900,
        )
    ]
    assert (
        EmaCross(EmaCrossParams()).indicator_needs() == EmaCross(EmaCrossParams(**params)).indicator_needs()
    )


def test_without_parameters_there_are_no_rules() -> None:
    (cross,) = test_ema_cross.ask()

    assert [*straddle(), *breakout(), *exits_of(cross)] == [None] * 4


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("short_straddle", {"trail_fraction": "1"}),
        ("short_straddle", {"target_fraction": 0}),
        ("opening_range", {"time_stop_s": 0}),
        ("opening_range", {"break_even_fraction": "NaN"}),
        ("ema_cross", {"resting_trail_atr": "51"}),
        ("ema_cross", {"target_fraction": "0.1"}),
    ],
)
def test_refuses_what_is_no_rule(name: str, params: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(params))):
        load_registry().validate(name, params)
