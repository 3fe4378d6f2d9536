"""Bound how many orders an account sends in a second, so that one runaway does not drown the others."""

import time
from collections import defaultdict, deque


class Limiter:
    """Count writes per account over a rolling second."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._sent: defaultdict[str, deque[float]] = defaultdict(deque)

    def admits(self, account: str) -> bool:
        """Whether one more may come now; it is counted if so."""
        now, sent = time.monotonic(), self._sent[account]
        while sent and sent[0] <= now - 1.0:
            sent.popleft()
        if len(sent) >= self._per_second:
            return False
        sent.append(now)
        return True
