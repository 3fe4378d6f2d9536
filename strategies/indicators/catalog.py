"""Name the indicators that strategies may ask for, and compute them at the close of the newest bar."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import talib

from app.domain.errors import InvalidInputError
from app.domain.market_data import Bar
from app.domain.numbers import Rounding, to_tick

Floats = npt.NDArray[np.float64]
Value = Decimal | None
_GRID = Decimal("0.0001")
"""Computed values are kept to four digits, so that every machine stores the same text."""


def compute(names: Sequence[str], bars: Sequence[Bar], session_open: datetime) -> Mapping[str, Value]:
    """Return each named indicator at the close of the last bar; None while it warms up.

    Args:
        names: such as "atr:14"; see `parse`.
        bars: closed bars of one instrument, spec and session, oldest first; at least one.
        session_open: the open of that session.

    Raises:
        InvalidInputError: a name is unknown.
    """
    values: dict[str, Value] = {}
    for name in names:
        indicator, period = parse(name)
        values[name] = indicator(bars, period, session_open)
    return values


def parse(name: str) -> tuple[Callable[[Sequence[Bar], int, datetime], Value], int]:
    """Return the indicator and the period of a name like "atr:14"; raises InvalidInputError."""
    found = re.fullmatch(r"([a-z_]+):([1-9]\d{0,3})", name)
    if found is None or found[1] not in _CATALOG:
        known = ", ".join(f"{known}:N" for known in sorted(_CATALOG))
        raise InvalidInputError(f"indicator: expected one of {known}, got {name!r}")
    return _CATALOG[found[1]], int(found[2])


def _opening_range(bars: Sequence[Bar], minutes: int, session_open: datetime) -> Sequence[Bar] | None:
    """Return the bars of the first minutes; None unless all are there: a hole could hide the extreme."""
    length = bars[-1].spec.minutes
    if minutes % length:
        raise InvalidInputError(
            f"opening range of {minutes} minutes: expected a multiple of {length}-minute bars"
        )
    inside = bars[: minutes // length]
    ends = session_open + timedelta(minutes=minutes)
    is_whole = len(inside) == minutes // length and inside[0].start == session_open and inside[-1].end == ends
    return inside if is_whole else None


def _opening_range_open(bars: Sequence[Bar], minutes: int, session_open: datetime) -> Value:
    inside = _opening_range(bars, minutes, session_open)
    return None if inside is None else inside[0].open


def _opening_range_high(bars: Sequence[Bar], minutes: int, session_open: datetime) -> Value:
    inside = _opening_range(bars, minutes, session_open)
    return None if inside is None else max(bar.high for bar in inside)


def _opening_range_low(bars: Sequence[Bar], minutes: int, session_open: datetime) -> Value:
    inside = _opening_range(bars, minutes, session_open)
    return None if inside is None else min(bar.low for bar in inside)


def _atr(bars: Sequence[Bar], period: int, _session_open: datetime) -> Value:
    high, low, close = (
        np.array([float(getattr(bar, side)) for bar in bars], dtype=np.float64)
        for side in ("high", "low", "close")
    )
    last = float(average_true_range(high, low, close, period)[-1])
    return None if math.isnan(last) else to_tick(last, _GRID, Rounding.NEAREST)


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
    average: Floats = talib.ATR(high, low, close, timeperiod=period)
    return average


_CATALOG: Mapping[str, Callable[[Sequence[Bar], int, datetime], Value]] = {
    "atr": _atr,
    "opening_range_high": _opening_range_high,
    "opening_range_low": _opening_range_low,
    "opening_range_open": _opening_range_open,
}
