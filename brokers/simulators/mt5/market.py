"""Give the market at any instant as a pure function of the recorded week, the seed and the time.

The one recorded week repeats: every Sunday 17:00 New York begins it anew, so that any virtual date has real
minutes. The market ticks every 5 s. Inside a minute the path stands at O at :00, at one extreme at :15, at
the other at :30 and at C from :45 on; a rising minute goes to its low first, a falling one to its high. In
between it wanders, never outside [L, H]. Bid and ask move on their own recorded bars, so the spread is the
real one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from brokers.simulators.mt5.draw import fraction
from brokers.simulators.mt5.hours import WEEK_MINUTES, epoch, from_epoch, is_quoted, week_minute
from brokers.simulators.mt5.minutes import Bar, Minute

TICK_S = 5
TICKS_PER_MINUTE = 60 // TICK_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """One tick: its instant in epoch seconds UTC, bid and ask in points."""

    at: int
    bid: int
    ask: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteBar:
    """A bid bar of one minute as far as it has ticked: start in epoch seconds UTC, spread in points."""

    at: int
    open: int
    high: int
    low: int
    close: int
    ticks: int
    spread: int


def grid_instant(instant: datetime) -> int:
    """Return the newest instant of the tick grid that is not after the given one, epoch seconds."""
    return epoch(instant) // TICK_S * TICK_S


class Market:
    """Answer what the market shows at an instant, and what it showed before."""

    def __init__(self, week: tuple[Minute, ...], seed: int) -> None:
        self._week = week
        self._seed = seed

    def quote(self, instant: datetime) -> Quote:
        """Return the newest tick at an instant; at the weekend the last one of Friday."""
        at = grid_instant(instant)
        minute = week_minute(from_epoch(at))
        if minute >= WEEK_MINUTES:
            at -= at % 60 + (minute - WEEK_MINUTES) * 60 + TICK_S
            minute = WEEK_MINUTES - 1
        return self._tick(at, minute)

    def _tick(self, at: int, minute: int) -> Quote:
        bars = self._week[minute]
        second = at % 60
        noise = fraction(self._seed, "eurusd", at) - 0.5
        rising = bars.bid.close >= bars.bid.open
        bid = _inside(bars.bid, second, rising=rising, noise=noise)
        ask = _inside(bars.ask, second, rising=rising, noise=noise)
        return Quote(at=at, bid=bid, ask=max(ask, bid + 1))

    def ticks(self, start: int, end: int) -> Iterator[Quote]:
        """Yield the ticks in (start, end], epoch seconds, oldest first; none at the weekend."""
        for at in range((start // TICK_S + 1) * TICK_S, end + 1, TICK_S):
            minute = week_minute(from_epoch(at))
            if minute < WEEK_MINUTES:
                yield self._tick(at, minute)

    def minute_bar(self, at: int, until: datetime) -> MinuteBar | None:
        """Return the bid bar of the minute from `at` on, of ticks up to an instant; None without any."""
        start = from_epoch(at)
        if start > until or not is_quoted(start):
            return None
        bars = self._week[week_minute(start)]
        spread = max(bars.ask.close - bars.bid.close, 1)
        if start + timedelta(minutes=1) <= until:
            bid = bars.bid
            values = (bid.open, bid.high, bid.low, bid.close)
            return _bar(at, values, TICKS_PER_MINUTE, spread)
        bids = [tick.bid for tick in self.ticks(at - TICK_S, epoch(until))]
        return _bar(at, (bids[0], max(bids), min(bids), bids[-1]), len(bids), spread)


def _bar(at: int, values: tuple[int, int, int, int], ticks: int, spread: int) -> MinuteBar:
    opens, high, low, close = values
    return MinuteBar(at=at, open=opens, high=high, low=low, close=close, ticks=ticks, spread=spread)


def _inside(bar: Bar, second: int, *, rising: bool, noise: float) -> int:
    turns = (bar.low, bar.high) if rising else (bar.high, bar.low)
    knots = ((0, bar.open), (15, turns[0]), (30, turns[1]), (45, bar.close))
    for (left, start), (right, end) in pairwise(knots):
        if second == left:
            return start
        if second < right:
            share = (second - left) / (right - left)
            value = start + (end - start) * share + noise * 0.3 * (bar.high - bar.low)
            return min(max(round(value), bar.low), bar.high)
    return bar.close
