"""Bring computed floats back to Decimals on one grid, so that every machine stores the same text."""

import math
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from app.domain.market_data import Bar
from app.domain.numbers import Rounding, to_tick

Floats = npt.NDArray[np.float64]
Value = Decimal | None

_GRID = Decimal("0.0001")
_FINE_GRID = Decimal("0.00000001")
_FINE_BELOW = Decimal(100)
"""A price below this moves in digits that the coarse grid would swallow: a pip is 0.0001."""


def stored(series: Floats, bars: Sequence[Bar]) -> Value:
    """Return the last of a series as it is kept: four digits, eight when the price is below 100.

    Args:
        series: (n,) float64, n >= 1; NaN means warm-up.
        bars: the bars that it was computed from; the last close decides the grid.
    """
    last = float(series[-1])
    grid = _FINE_GRID if bars[-1].close < _FINE_BELOW else _GRID
    return None if math.isnan(last) else to_tick(last, grid, Rounding.NEAREST)
