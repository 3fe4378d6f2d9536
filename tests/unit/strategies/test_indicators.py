"""Indicators agree with a plain reading of their definitions."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from app.domain.bars import merge_bars
from app.domain.errors import InvalidInputError
from app.domain.market_data import FIVE_MINUTES, Bar
from strategies.indicators import compute, parse
from strategies.indicators.averages import average_true_range
from tests.nifty_day import DAY, minutes_of, session_of

SESSION = session_of(DAY)
MINUTES = minutes_of(DAY)
NAMES = ("opening_range_open:15", "opening_range_high:15", "opening_range_low:15")


def plain_atr(bars: Sequence[Bar], period: int) -> list[float | None]:
    """Wilder's average, written as in the book: a mean first, then one n-th of each new true range."""
    ranges = [
        max(bar.high - bar.low, abs(bar.high - before.close), abs(bar.low - before.close))
        for before, bar in itertools.pairwise(bars)
    ]
    averages: list[float | None] = [None] * min(period, len(bars))
    average = 0.0
    for i, value in enumerate(map(float, ranges), start=1):
        average = (
            sum(map(float, ranges[:period])) / period if i <= period else average + (value - average) / period
        )
        if i >= period:
            averages.append(average)
    return averages


@pytest.mark.parametrize("period", [1, 2, 14, 50])
def test_average_true_range_is_wilders(period: int) -> None:
    high, low, close = (np.array([float(getattr(b, s)) for b in MINUTES]) for s in ("high", "low", "close"))

    ours = average_true_range(high, low, close, period)

    assert [None if np.isnan(x) else pytest.approx(x, abs=1e-9) for x in ours] == plain_atr(MINUTES, period)


def test_average_true_range_is_unknown_while_it_warms_up() -> None:
    assert compute(["atr:14"], MINUTES[:14], SESSION.open_at) == {"atr:14": None}
    value = compute(["atr:14"], MINUTES[:15], SESSION.open_at)["atr:14"]
    assert isinstance(value, Decimal)
    assert value == value.quantize(Decimal("0.0001"))


def test_opening_range_is_the_extremes_of_the_first_minutes() -> None:
    inside = MINUTES[:15]

    found = compute(NAMES, MINUTES[:40], SESSION.open_at)

    assert list(found.values()) == [
        inside[0].open,
        max(bar.high for bar in inside),
        min(bar.low for bar in inside),
    ]


def test_opening_range_is_the_same_from_longer_bars() -> None:
    fives = merge_bars(MINUTES[:30], FIVE_MINUTES, SESSION)

    assert compute(NAMES, fives, SESSION.open_at) == compute(NAMES, MINUTES[:30], SESSION.open_at)


def test_opening_range_is_unknown_before_its_end_and_with_a_hole() -> None:
    assert set(compute(NAMES, MINUTES[:14], SESSION.open_at).values()) == {None}
    assert set(compute(NAMES, MINUTES[1:40], SESSION.open_at).values()) == {None}
    assert set(compute(NAMES, MINUTES[:7] + MINUTES[8:40], SESSION.open_at).values()) == {None}


def test_a_pre_open_bar_is_no_part_of_the_range() -> None:
    pre_open = replace(MINUTES[0], start=SESSION.open_at - timedelta(minutes=8), high=Decimal(99999))

    assert set(compute(NAMES, [pre_open, *MINUTES[:20]], SESSION.open_at).values()) == {None}


@pytest.mark.parametrize("name", ["atr", "atr:0", "atr:-1", "rsi:14", "atr:14:2", "ATR:14", "", "atr:99999"])
def test_refuses_a_name_that_it_does_not_know(name: str) -> None:
    with pytest.raises(InvalidInputError, match="expected one of adx:N"):
        parse(name)


def test_refuses_a_range_that_its_bars_cannot_make() -> None:
    fives = merge_bars(MINUTES[:30], FIVE_MINUTES, SESSION)

    with pytest.raises(InvalidInputError, match="multiple of 5-minute bars"):
        compute(["opening_range_high:12"], fives, SESSION.open_at)
