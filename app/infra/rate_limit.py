"""Share each account's order budget between all workers, atomically, in Valkey.

An exchange counts orders per account in calendar seconds; a rolling second is kept too, so that no
window of a second holds more than the limit. Exits may use the whole budget, entries leave a
reserve for them, and moves of resting stops leave one for both. While Valkey is away each process counts
for itself: only exits leave then, and one process holds an account's exits.
"""

import threading
import time
from collections import deque

from redis import Redis
from redis.exceptions import RedisError

from app.domain.errors import UnavailableError

_EXIT_RESERVE = 2
_ENTRY_RESERVE = 2

_TAKE = """
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ms - 1000)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
local calendar = redis.call('ZCOUNT', KEYS[1], now[1] * 1000, '+inf')
if calendar >= tonumber(ARGV[1]) then return 0 end
redis.call('INCR', KEYS[1] .. ':n')
redis.call('PEXPIRE', KEYS[1] .. ':n', 60000)
redis.call('ZADD', KEYS[1], ms, ms .. ':' .. redis.call('GET', KEYS[1] .. ':n'))
redis.call('PEXPIRE', KEYS[1], 5000)
return 1
"""


class OrderBudget:
    """Hand out the right to send one request of an account."""

    def __init__(self, valkey: Redis, *, per_second: int) -> None:
        """Args: per_second: requests an account may send in any second, exits included."""
        self._take = valkey.register_script(_TAKE)
        self._per_second = per_second
        self._own_count = _OwnCount(per_second)

    def take_for_entry(self, account_id: int) -> bool:
        """Take one request for an entry; False when only the exits' reserve is left.

        Raises:
            UnavailableError: the budget cannot be read; entries wait (fail closed).
        """
        try:
            return self._run(account_id, max(self._per_second - _EXIT_RESERVE, 1))
        except RedisError as e:
            raise UnavailableError("the order budget in Valkey cannot be read; entries wait") from e

    def take_for_exit(self, account_id: int) -> bool:
        """Take one request for an exit or cancel; without Valkey exits go on, counted here (I7)."""
        try:
            is_taken = self._run(account_id, self._per_second)
        except RedisError:
            return self._own_count.take(account_id)
        if is_taken:
            self._own_count.note(account_id)
        return is_taken

    def take_for_move(self, account_id: int) -> bool:
        """Take one request for moving a stop that rests; it leaves the exits' reserve and room for entries.

        False without Valkey: the level that the stop shall move to is watched all the same.
        """
        try:
            return self._run(account_id, max(self._per_second - _EXIT_RESERVE - _ENTRY_RESERVE, 1))
        except RedisError:
            return False

    def _run(self, account_id: int, limit: int) -> bool:
        return bool(self._take(keys=[f"budget:{account_id}"], args=[limit]))


class _OwnCount:
    """Count what this process sent in the last second, for when nobody can be asked. Thread-safe."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._sent: dict[int, deque[float]] = {}
        self._lock = threading.Lock()

    def take(self, account_id: int) -> bool:
        with self._lock:
            now = time.monotonic()
            sent = self._sent.setdefault(account_id, deque())
            while sent and now - sent[0] >= 1:
                sent.popleft()
            if len(sent) >= self._per_second:
                return False
            sent.append(now)
            return True

    def note(self, account_id: int) -> None:
        with self._lock:
            newest = self._sent.setdefault(account_id, deque())
            newest.append(time.monotonic())
            while len(newest) > self._per_second:
                newest.popleft()
