"""Fold minutes into bars of any time frame, on the server's own clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from brokers.simulators.mt5 import constants as mt5
from brokers.simulators.mt5.hours import from_epoch
from brokers.simulators.mt5.market import Market, MinuteBar
from brokers.simulators.mt5.server_time import ServerTime

_WEEK_S = 7 * 24 * 3600
_SUNDAY_S = 3 * 24 * 3600  # the epoch began on a Thursday
LONGEST_SCAN_MINUTES = 400_000
_SECONDS = {
    **{frame: frame * 60 for frame in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)},
    **{0x4000 | hours: hours * 3600 for hours in (1, 2, 3, 4, 6, 8, 12, 24)},
    mt5.TIMEFRAME_W1: _WEEK_S,
}


@dataclass(slots=True, kw_only=True)
class FrameBar:
    """One bar; start in server seconds, prices in points."""

    at: int
    open: int
    high: int
    low: int
    close: int
    ticks: int
    spread: int


def is_known(timeframe: int) -> bool:
    """Return whether there is such a time frame."""
    return timeframe in _SECONDS or timeframe == mt5.TIMEFRAME_MN1


def bar_start(server_s: int, timeframe: int) -> int:
    """Return the start of the bar that an instant lies in, server seconds."""
    if timeframe == mt5.TIMEFRAME_MN1:
        first = from_epoch(server_s).replace(day=1, hour=0, minute=0, second=0)
        return int((first - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1))
    seconds = _SECONDS[timeframe]
    phase = _SUNDAY_S if seconds == _WEEK_S else 0
    return (server_s - phase) // seconds * seconds + phase


@dataclass(frozen=True, slots=True, kw_only=True)
class BarBuilder:
    """Build bars of one account's server time from a market, up to an instant."""

    market: Market
    clock: ServerTime
    until: datetime

    def newest(self, timeframe: int, last_server_s: int, count: int) -> list[FrameBar]:
        """Return up to `count` bars whose start is not after an instant, oldest first.

        Scans at most LONGEST_SCAN_MINUTES back.
        """
        first = bar_start(last_server_s, timeframe)
        bars: list[FrameBar] = []
        at = min(self.clock.utc(first + _span(timeframe)) - 60, int(self.until.timestamp()) // 60 * 60)
        for scanned in range(LONGEST_SCAN_MINUTES):
            minute = self.market.minute_bar(at - scanned * 60, self.until)
            if minute is None:
                continue
            start = bar_start(self.clock.seconds(minute.at), timeframe)
            if not bars or bars[-1].at != start:
                if len(bars) == count:
                    break
                bars.append(_begin(minute, start))
            else:
                _prepend(bars[-1], minute)
        return bars[::-1]

    def between(self, timeframe: int, start_server_s: int, end_server_s: int) -> list[FrameBar]:
        """Return the bars whose start lies in [start, end], oldest first."""
        bars: list[FrameBar] = []
        for minute in self._minutes(start_server_s, end_server_s + _span(timeframe)):
            start = bar_start(self.clock.seconds(minute.at), timeframe)
            if not start_server_s <= start <= end_server_s:
                continue
            if not bars or bars[-1].at != start:
                bars.append(_begin(minute, start))
            else:
                _append(bars[-1], minute)
        return bars

    def _minutes(self, start_server_s: int, end_server_s: int) -> Iterator[MinuteBar]:
        last = min(self.clock.utc(end_server_s), int(self.until.timestamp()))
        first = max(self.clock.utc(start_server_s) // 60 * 60, last - LONGEST_SCAN_MINUTES * 60)
        for at in range(first, last + 1, 60):
            minute = self.market.minute_bar(at, self.until)
            if minute is not None:
                yield minute


def _span(timeframe: int) -> int:
    return 31 * 24 * 3600 if timeframe == mt5.TIMEFRAME_MN1 else _SECONDS[timeframe]


def _begin(minute: MinuteBar, start: int) -> FrameBar:
    return FrameBar(
        at=start,
        open=minute.open,
        high=minute.high,
        low=minute.low,
        close=minute.close,
        ticks=minute.ticks,
        spread=minute.spread,
    )


def _widen(bar: FrameBar, minute: MinuteBar) -> None:
    bar.high, bar.low = max(bar.high, minute.high), min(bar.low, minute.low)
    bar.ticks += minute.ticks
    bar.spread = min(bar.spread, minute.spread)


def _append(bar: FrameBar, minute: MinuteBar) -> None:
    bar.close = minute.close
    _widen(bar, minute)


def _prepend(bar: FrameBar, minute: MinuteBar) -> None:
    bar.open = minute.open
    _widen(bar, minute)
