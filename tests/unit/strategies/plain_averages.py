"""Compute averages the long way, from their definitions, to check those that the platform computes."""

from collections.abc import Sequence

import pandas as pd


def plain_ema(closes: Sequence[float], period: int) -> list[float | None]:
    """Return the exponential average: a mean first, then 2 / (period + 1) of each step away from it."""
    seeded = pd.Series([sum(closes[:period]) / period, *closes[period:]])
    averages = seeded.ewm(span=period, adjust=False).mean().tolist()
    if len(closes) < period:
        return [None] * len(closes)
    return [None] * (period - 1) + averages


def plain_atr(bars: Sequence[tuple[float, float, float]], period: int) -> list[float | None]:
    """Return Wilder's average true range of (high, low, close): a mean, then one n-th of each step."""
    found: list[float | None] = []
    average, ranges = 0.0, []
    for i, (high, low, _) in enumerate(bars):
        if i == 0:
            found.append(None)
            continue
        before = bars[i - 1][2]
        ranges.append(max(high - low, abs(high - before), abs(low - before)))
        average = sum(ranges) / period if len(ranges) <= period else average + (ranges[-1] - average) / period
        found.append(average if len(ranges) >= period else None)
    return found


def plain_adx(bars: Sequence[tuple[float, float, float]], period: int) -> list[float | None]:
    """Return Wilder's directional index of (high, low, close).

    The sums begin with `period` - 1 movements, as in TA-Lib; Wilder's book begins with `period`.
    """
    sums = [0.0, 0.0, 0.0]  # up, down, true range
    indices: list[float] = []
    found: list[float | None] = []
    for i, (high, low, _) in enumerate(bars):
        if i > 0:
            before_high, before_low, before_close = bars[i - 1]
            up, down = high - before_high, before_low - low
            moves = (
                up if up > down and up > 0 else 0.0,
                down if down > up and down > 0 else 0.0,
                max(high, before_close) - min(low, before_close),
            )
            keep = 1.0 if i < period else 1 - 1 / period
            sums = [total * keep + move for total, move in zip(sums, moves, strict=True)]
        if i >= period:
            plus, minus = sums[0] / sums[2], sums[1] / sums[2]
            indices.append(100 * abs(plus - minus) / (plus + minus))
        if len(indices) == period:
            found.append(sum(indices) / period)
        elif len(indices) > period:
            previous = found[-1]
            assert previous is not None
            found.append(previous + (indices[-1] - previous) / period)
        else:
            found.append(None)
    return found
