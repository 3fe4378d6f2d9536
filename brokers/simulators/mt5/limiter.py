"""Count calls per account in a rolling real second."""

import time
from collections import deque
from collections.abc import Callable


class RateLimiter:
    """Refuse a call when its bucket has had its number of calls within the last second."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._calls: dict[tuple[str, int], deque[float]] = {}

    def admits(self, bucket: str, login: int, per_second: int) -> bool:
        """Return whether the call may go on; only admitted calls count."""
        now = self._monotonic()
        calls = self._calls.setdefault((bucket, login), deque())
        while calls and now - calls[0] >= 1.0:
            calls.popleft()
        if len(calls) >= per_second:
            return False
        calls.append(now)
        return True
