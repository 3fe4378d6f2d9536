"""Smooth the bars of one session: moving averages, their crosses, true range and directional movement.

Everything starts anew with the session, and all but the average true range with the newest hole in the bars:
a value that has skipped a bar is wrong for as long as its memory reaches, so it is unknown instead.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from app.domain.errors import InvalidInputError
from app.domain.market_data import Bar
from strategies.indicators.values import Floats, Value


def load() -> None:
    """Import TA-Lib now, not at the first value: it brings pandas, which costs a process that needs none."""
    import talib  # noqa: F401  for its being there


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossPeriods:
    """Name the two exponential averages that cross, in bars; the fast one has the shorter memory."""

    fast: int
    slow: int

    def __post_init__(self) -> None:
        if not self.fast < self.slow:
            raise InvalidInputError(
                f"cross of averages: expected fast below slow, got {self.fast}/{self.slow}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cross:
    is_up: bool
    bars: Sequence[Bar]  # from the bar whose close made the cross on


def prices_of(bars: Sequence[Bar]) -> tuple[Floats, Floats, Floats]:
    """Return highs, lows and closes, each (n,) float64, oldest first."""
    high, low, close = (
        np.array([float(getattr(bar, side)) for bar in bars], dtype=np.float64)
        for side in ("high", "low", "close")
    )
    return high, low, close


def unbroken(bars: Sequence[Bar]) -> Sequence[Bar]:
    """Return the bars after the newest hole; all of them when there is none."""
    first = 0
    for i, (before, bar) in enumerate(itertools.pairwise(bars), start=1):
        if bar.start - before.start > bar.spec.length:
            first = i
    return bars[first:]


def exponential_average(close: Floats, period: int) -> Floats:
    """Return the exponential moving average with the weight 2 / (period + 1).

    Args:
        close: (n,) float64, oldest first.
        period: bars, >= 2.

    Returns:
        (n,) float64; NaN for the first `period` - 1 bars. The mean of the first `period` closes starts it.

    Raises:
        InvalidInputError: the period is 1.

    Source: computed by TA-Lib.
    """
    _demand_two("ema", period)
    import talib

    average: Floats = talib.EMA(close, timeperiod=period)
    return average


def average_true_range(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    """Return the average true range.

    Args:
        high: (n,) float64, oldest first, same bars as `low` and `close`.
        low: (n,) float64.
        close: (n,) float64.
        period: bars, >= 1.

    Returns:
        (n,) float64 in price units; NaN for the first `period` bars, because the first true range needs
        a close before it.

    Source: Wilder, New Concepts in Technical Trading Systems (1978); computed by TA-Lib.
    """
    import talib

    average: Floats = talib.ATR(high, low, close, timeperiod=period)
    return average


def average_directional_index(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    """Return the average directional index, 0 to 100: how much of the movement goes one way.

    Args:
        high: (n,) float64, oldest first, same bars as `low` and `close`.
        low: (n,) float64.
        close: (n,) float64.
        period: bars, >= 2.

    Returns:
        (n,) float64; NaN for the first 2 * `period` - 1 bars.

    Raises:
        InvalidInputError: the period is 1.

    Source: Wilder, New Concepts in Technical Trading Systems (1978); computed by TA-Lib.
    """
    _demand_two("adx", period)
    import talib

    index: Floats = talib.ADX(high, low, close, timeperiod=period)
    return index


def cross_bars(bars: Sequence[Bar], periods: CrossPeriods) -> Value:
    """Return the number of bars since the averages crossed, negative when they crossed downwards.

    The bar whose close made the cross counts as 1 or -1. None before the first cross of the session: the side
    that the averages start on when they are first known is no cross.
    """
    cross = _last_cross(bars, periods)
    if cross is None:
        return None
    return Decimal(len(cross.bars) if cross.is_up else -len(cross.bars))


def cross_high(bars: Sequence[Bar], periods: CrossPeriods) -> Value:
    """Return the highest high of the bars after the one that made the last cross; None at that bar."""
    cross = _last_cross(bars, periods)
    return None if cross is None else max((bar.high for bar in cross.bars[1:]), default=None)


def cross_low(bars: Sequence[Bar], periods: CrossPeriods) -> Value:
    """Return the lowest low of the bars after the one that made the last cross; None at that bar."""
    cross = _last_cross(bars, periods)
    return None if cross is None else min((bar.low for bar in cross.bars[1:]), default=None)


def _last_cross(bars: Sequence[Bar], periods: CrossPeriods) -> _Cross | None:
    run = unbroken(bars)
    _, _, close = prices_of(run)
    distance = exponential_average(close, periods.fast) - exponential_average(close, periods.slow)
    # Where the averages touch, neither is above: the side before the touch goes on.
    known = np.flatnonzero(np.nan_to_num(distance))
    is_above = distance[known] > 0
    turns = np.flatnonzero(is_above[1:] != is_above[:-1]) + 1
    if not len(turns):
        return None
    last = int(turns[-1])
    return _Cross(is_up=bool(is_above[last]), bars=run[int(known[last]) :])


def _demand_two(name: str, period: int) -> None:
    if period < 2:
        raise InvalidInputError(f"{name}: expected a period of 2 bars or more, got {period}")
