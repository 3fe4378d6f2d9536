"""Keep virtual time and the grid of instants at which the market ticks, around the clock."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

COARSE_S = 15
FINE_S = 3
DAY = timedelta(days=1)


class VirtualClock:
    """Tell virtual time: it runs at `rate` times real time from the instant it was last set."""

    def __init__(self, start: datetime) -> None:
        self._base = start
        self._base_real = time.monotonic()
        self.rate = 0.0

    def now(self) -> datetime:
        """Return the virtual instant, UTC."""
        elapsed = (time.monotonic() - self._base_real) * self.rate
        return self._base + timedelta(seconds=elapsed)

    def now_ms(self) -> int:
        """Return the virtual instant, milliseconds since the epoch."""
        return int(self.now().timestamp() * 1000)

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


class Grid:
    """Give the instants at which the market ticks, UTC, finer inside windows; the market never closes."""

    def __init__(self, opens: datetime, coarse_s: int = COARSE_S) -> None:
        self.opens = opens
        self._coarse_s = coarse_s
        self._windows: tuple[tuple[datetime, datetime], ...] = ()

    def set_windows(self, windows: Iterable[tuple[datetime, datetime]]) -> None:
        """Replace the windows that tick every 3 s; elsewhere the market ticks at the coarse step."""
        self._windows = tuple(windows)

    def next_after(self, instant: datetime | None) -> datetime:
        """Return the first grid instant later than the given one, or the first of all."""
        if instant is None:
            return self.opens
        coarse = self._step_after(instant, self._coarse_s)
        fine = self._step_after(instant, FINE_S)
        for start, end in self._windows:
            first = max(fine, self._step_after(start - timedelta(microseconds=1), FINE_S))
            if first <= end:
                coarse = min(coarse, first)
        return coarse

    def _step_after(self, instant: datetime, step_s: int) -> datetime:
        step = timedelta(seconds=step_s)
        return self.opens + ((instant - self.opens) // step + 1) * step

    def first_day(self) -> list[datetime]:
        """Return the instants of the first day."""
        instants, due = [], self.opens
        while due < self.opens + DAY:
            instants.append(due)
            due = self.next_after(due)
        return instants
