"""Take the extremes of a part of the day that is named by the clock on a wall, summer time included.

A window lies on the local date of the newest bar: bars of the evening before are never in it.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.domain.errors import InvalidInputError
from app.domain.market_data import Bar
from strategies.indicators.values import Value

_QUARTER = timedelta(minutes=15)
"""A quiet minute has no bar; a quarter hour without one is a hole that could hide the extreme."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockMoment:
    """Name a time on the clock of a zone."""

    at: time
    zone: ZoneInfo

    def on_day_of(self, bar: Bar) -> datetime:
        """Return the moment on the bar's local date, in UTC."""
        day = bar.start.astimezone(self.zone).date()
        return datetime.combine(day, self.at, tzinfo=self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockWindow:
    """Name the time between two moments of one local date; the end does not belong to it."""

    begins: ClockMoment
    ends: ClockMoment


def parse_moment(text: str) -> ClockMoment:
    """Return the moment of a text like "0700@Europe/London"; raises InvalidInputError."""
    clock, _, zone = text.partition("@")
    return ClockMoment(at=_clock(clock, text), zone=_zone(zone, text))


def parse_window(text: str) -> ClockWindow:
    """Return the window of a text like "0000-0700@Europe/London".

    Raises:
        InvalidInputError: it is no such text, ends before it begins, or is not of whole quarter hours.
    """
    begins, _, rest = text.partition("-")
    ends = parse_moment(rest)
    window = ClockWindow(begins=ClockMoment(at=_clock(begins, text), zone=ends.zone), ends=ends)
    if not window.begins.at < ends.at or window.begins.at.minute % 15 or ends.at.minute % 15:
        raise InvalidInputError(f"window: expected a begin before an end, both quarter hours, got {text!r}")
    return window


def range_high(bars: Sequence[Bar], window: ClockWindow) -> Value:
    """Return the highest high inside the window; None unless it is over and whole."""
    return max((bar.high for bar in _inside(bars, window)), default=None)


def range_low(bars: Sequence[Bar], window: ClockWindow) -> Value:
    """Return the lowest low inside the window; None unless it is over and whole."""
    return min((bar.low for bar in _inside(bars, window)), default=None)


def range_breaks(bars: Sequence[Bar], window: ClockWindow) -> Value:
    """Return how many bars after the window closed outside its range; None where the range is unknown."""
    inside = _inside(bars, window)
    if not inside:
        return None
    high, low = max(bar.high for bar in inside), min(bar.low for bar in inside)
    after = _from(bars, window.ends)
    return Decimal(sum(not low <= bar.close <= high for bar in after))


def since_high(bars: Sequence[Bar], moment: ClockMoment) -> Value:
    """Return the highest high of the bars from a moment on; None before it."""
    return max((bar.high for bar in _from(bars, moment)), default=None)


def since_low(bars: Sequence[Bar], moment: ClockMoment) -> Value:
    """Return the lowest low of the bars from a moment on; None before it."""
    return min((bar.low for bar in _from(bars, moment)), default=None)


def _from(bars: Sequence[Bar], moment: ClockMoment) -> Sequence[Bar]:
    return bars[_index(bars, moment.on_day_of(bars[-1])) :]


def _index(bars: Sequence[Bar], moment: datetime) -> int:
    return bisect_left(bars, moment, key=lambda bar: bar.start)


def _inside(bars: Sequence[Bar], window: ClockWindow) -> Sequence[Bar]:
    """Return the bars of the window once it is over, if every quarter hour of it has one; else none.

    So bars of one, five and fifteen minutes, built from the same ticks, know the same range or none.
    """
    if bars[-1].spec.length > _QUARTER:
        raise InvalidInputError(f"range of a window: expected bars up to 15m, got {bars[-1].spec}")
    begins, ends = window.begins.on_day_of(bars[-1]), window.ends.on_day_of(bars[-1])
    if bars[-1].end < ends:
        return []
    inside = bars[_index(bars, begins) : _index(bars, ends)]
    quarters = {(bar.start - begins) // _QUARTER for bar in inside}
    is_whole = len(quarters) == (ends - begins) // _QUARTER and inside[-1].end <= ends
    return inside if is_whole else []


def _clock(text: str, whole: str) -> time:
    if not re.fullmatch(r"([01]\d|2[0-3])[0-5]\d", text):
        raise InvalidInputError(f"expected a clock time like 0700@Europe/London, got {whole!r}")
    return time(int(text[:2]), int(text[2:]))


def _zone(text: str, whole: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as e:  # OSError: the name of a folder
        raise InvalidInputError(f"expected a time zone like Europe/London, got {whole!r}") from e
