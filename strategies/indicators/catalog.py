"""Name the indicators that strategies may ask for, and compute them at the close of the newest bar."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from app.domain.errors import InvalidInputError
from app.domain.market_data import Bar
from strategies.indicators import averages, clock_ranges
from strategies.indicators.values import Value, stored

Indicator = Callable[[Sequence[Bar], datetime], Value]
"""Computes one value from the closed bars of a session and the session's open."""


def compute(names: Sequence[str], bars: Sequence[Bar], session_open: datetime) -> Mapping[str, Value]:
    """Return each named indicator at the close of the last bar; None while it warms up.

    Args:
        names: such as "atr:14"; see `parse`.
        bars: closed bars of one instrument, spec and session, oldest first; at least one.
        session_open: the open of that session.

    Raises:
        InvalidInputError: a name is unknown.
    """
    return {name: parse(name)(bars, session_open) for name in names}


def parse(name: str) -> Indicator:
    """Return the indicator of a name like "atr:14"; raises InvalidInputError."""
    kind, _, argument = name.partition(":")
    if kind in _OF_A_PERIOD and re.fullmatch(r"[1-9]\d{0,3}", argument):
        return partial(_of_a_period, kind, int(argument))
    if kind in _OF_A_CROSS and (pair := re.fullmatch(r"([1-9]\d{0,3})/([1-9]\d{0,3})", argument)):
        return partial(_of_a_cross, kind, averages.CrossPeriods(fast=int(pair[1]), slow=int(pair[2])))
    if kind in _OF_A_WINDOW:
        return partial(_of_a_window, kind, clock_ranges.parse_window(argument))
    if kind in _SINCE:
        return partial(_since, kind, clock_ranges.parse_moment(argument))
    known = (
        *(f"{known}:N" for known in sorted(_OF_A_PERIOD)),
        *(f"{known}:FAST/SLOW" for known in sorted(_OF_A_CROSS)),
        *(f"{known}:HHMM-HHMM@ZONE" for known in sorted(_OF_A_WINDOW)),
        *(f"{known}:HHMM@ZONE" for known in sorted(_SINCE)),
    )
    raise InvalidInputError(f"indicator: expected one of {', '.join(known)}, got {name!r}")


def _of_a_period(kind: str, period: int, bars: Sequence[Bar], session_open: datetime) -> Value:
    return _OF_A_PERIOD[kind](bars, period, session_open)


def _of_a_cross(
    kind: str, periods: averages.CrossPeriods, bars: Sequence[Bar], _session_open: datetime
) -> Value:
    return _OF_A_CROSS[kind](bars, periods)


def _of_a_window(
    kind: str, window: clock_ranges.ClockWindow, bars: Sequence[Bar], _session_open: datetime
) -> Value:
    return _OF_A_WINDOW[kind](bars, window)


def _since(
    kind: str, moment: clock_ranges.ClockMoment, bars: Sequence[Bar], _session_open: datetime
) -> Value:
    return _SINCE[kind](bars, moment)


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
    return stored(averages.average_true_range(*averages.prices_of(bars), period), bars)


def _adx(bars: Sequence[Bar], period: int, _session_open: datetime) -> Value:
    run = averages.unbroken(bars)
    return stored(averages.average_directional_index(*averages.prices_of(run), period), bars)


def _ema(bars: Sequence[Bar], period: int, _session_open: datetime) -> Value:
    _, _, close = averages.prices_of(averages.unbroken(bars))
    return stored(averages.exponential_average(close, period), bars)


_OF_A_PERIOD: Mapping[str, Callable[[Sequence[Bar], int, datetime], Value]] = {
    "adx": _adx,
    "atr": _atr,
    "ema": _ema,
    "opening_range_high": _opening_range_high,
    "opening_range_low": _opening_range_low,
    "opening_range_open": _opening_range_open,
}
_OF_A_CROSS: Mapping[str, Callable[[Sequence[Bar], averages.CrossPeriods], Value]] = {
    "ema_cross_bars": averages.cross_bars,
    "ema_cross_high": averages.cross_high,
    "ema_cross_low": averages.cross_low,
}
_OF_A_WINDOW: Mapping[str, Callable[[Sequence[Bar], clock_ranges.ClockWindow], Value]] = {
    "range_breaks": clock_ranges.range_breaks,
    "range_high": clock_ranges.range_high,
    "range_low": clock_ranges.range_low,
}
_SINCE: Mapping[str, Callable[[Sequence[Bar], clock_ranges.ClockMoment], Value]] = {
    "since_high": clock_ranges.since_high,
    "since_low": clock_ranges.since_low,
}
