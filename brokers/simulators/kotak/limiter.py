"""Count calls per account in a rolling real second."""

import time
from collections import deque
from collections.abc import Callable

_BURST_PAUSE_S = 3.0


class RateLimiter:
    """Refuse a call when its bucket has had its number of calls within the last second."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._calls: dict[tuple[str, str], deque[float]] = {}

    def admits(self, bucket: str, ucc: str, per_second: int) -> bool:
        """Return whether the call may go on; only admitted calls count."""
        now = self._monotonic()
        calls = self._calls.setdefault((bucket, ucc), deque())
        while calls and now - calls[0] >= 1.0:
            calls.popleft()
        if len(calls) >= per_second:
            return False
        calls.append(now)
        return True


class Bursts:
    """Count the writes of each account that follow each other closely."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._runs: dict[str, tuple[int, float]] = {}

    def count(self, ucc: str) -> int:
        """Note one write and return its number in the burst; a pause begins a new burst."""
        now = self._monotonic()
        number, last = self._runs.get(ucc, (0, now))
        number = number + 1 if now - last < _BURST_PAUSE_S else 1
        self._runs[ucc] = (number, now)
        return number
