"""Keep virtual time and the grid of instants at which the market ticks."""

import time
from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone

IST = timezone(timedelta(hours=5, minutes=30), "IST")
COARSE_S = 15
FINE_S = 3


class VirtualClock:
    """Tell virtual time: it runs at `rate` times real time from the instant it was last set."""

    def __init__(self, start: datetime) -> None:
        self._base = start
        self._base_real = time.monotonic()
        self._last_stamp = 0
        self.rate = 0.0

    def now(self) -> datetime:
        """Return the virtual instant, UTC."""
        elapsed = (time.monotonic() - self._base_real) * self.rate
        return self._base + timedelta(seconds=elapsed)

    def set(self, now: datetime, rate: float) -> None:
        """Jump to an instant and run on at a rate; 0 freezes."""
        self._base = now.astimezone(UTC)
        self._base_real = time.monotonic()
        self.rate = rate

    def real_seconds_until(self, instant: datetime) -> float:
        """Return the real seconds until a virtual instant; infinity while frozen."""
        left = (instant - self.now()).total_seconds()
        if left <= 0:
            return 0.0
        return left / self.rate if self.rate > 0 else float("inf")

    def stamp_ns(self) -> int:
        """Return virtual nanoseconds since the epoch, strictly increasing even while time stands still."""
        now_ns = int(self.now().timestamp() * 1_000_000) * 1_000
        self._last_stamp = max(now_ns, self._last_stamp + 1)
        return self._last_stamp


class Grid:
    """Hold the instants of one trading day at which the market ticks, UTC, finer inside windows."""

    def __init__(self, day: date) -> None:
        self.opens = datetime(day.year, day.month, day.day, 9, 15, tzinfo=IST).astimezone(UTC)
        self.closes = datetime(day.year, day.month, day.day, 15, 30, tzinfo=IST).astimezone(UTC)
        self.windows: tuple[tuple[datetime, datetime], ...] = ()
        self.instants: list[datetime] = []
        self.set_windows(())

    def set_windows(self, windows: Iterable[tuple[datetime, datetime]]) -> None:
        """Replace the windows that tick every 3 s; elsewhere the market ticks every 15 s."""
        self.windows = tuple(windows)
        span = int((self.closes - self.opens).total_seconds())
        offsets = set(range(0, span, COARSE_S)) | {span}
        for start, end in self.windows:
            first = max(0, -(-int((start - self.opens).total_seconds()) // FINE_S) * FINE_S)
            last = min(span, int((end - self.opens).total_seconds()))
            offsets.update(range(first, last + 1, FINE_S))
        self.instants = [self.opens + timedelta(seconds=offset) for offset in sorted(offsets)]

    def next_after(self, instant: datetime | None) -> datetime | None:
        """Return the first grid instant later than the given one, or the first of the day."""
        if instant is None:
            return self.instants[0]
        index = bisect_right(self.instants, instant)
        return self.instants[index] if index < len(self.instants) else None
