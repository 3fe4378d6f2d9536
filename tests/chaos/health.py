"""Watch whether a running day is well: engines answer, runs are held and renewed, processes live."""

import os
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Self

import psycopg
from redis import Redis
from redis.exceptions import RedisError

from app.infra.engines.engines import Engines
from app.infra.names import BEAT_STATE_KEY, WORKERS_KEY
from tests.e2e.days import RunningDay

_EVERY_S = 0.2
_SLOW_S = 1.0
# A lease is renewed three times in its life (3 s, those of exits 1.2 s): later its holder is dead or asleep.
_STALE = """SELECT count(*) FROM leases WHERE is_wanted AND expires_at <
  clock_timestamp() + CASE kind WHEN 'exits' THEN interval '0.4 s' ELSE interval '1.4 s' END"""


@dataclass(slots=True)
class Health:
    """Look several times a second from a thread of its own. `with` it."""

    day: RunningDay
    engines: Engines
    _last_unwell: float = field(default=float("-inf"))
    _ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _connection: "psycopg.Connection[tuple[int]] | None" = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        assert self._thread is not None
        self._thread.join(30)
        if self._connection is not None:
            self._connection.close()

    def recovery_s(self, struck: float, *, steady_s: float, patience_s: float) -> float | None:
        """Wait until the day has been well for a while; return how long it was not, None when patience ended.

        Args: struck: when something was done to it, time.monotonic().
        """
        asked = time.monotonic()
        while time.monotonic() - asked < patience_s:
            if time.monotonic() - max(self._last_unwell, asked) >= steady_s:
                return round(max(0.0, self._last_unwell - struck), 2)
            time.sleep(_EVERY_S / 2)
        return None

    def are_back(self, names: Collection[str], *, since: float) -> bool:
        """Whether killed processes do their work again; `since`: machine time of the kill."""
        try:
            with Redis.from_url(self.engines.redis_url, decode_responses=True, socket_timeout=1) as valkey:
                beats = {str(k).split("@")[0]: float(v) for k, v in valkey.hgetall(WORKERS_KEY).items()}
                beats["beat"] = float(str(valkey.hget(BEAT_STATE_KEY, "wall") or 0))
        except RedisError:
            return False
        running = {name: status.pid for name, status in self.day.processes().items()}.items()
        alive = {name for name, pid in running if pid is not None and _is_alive(pid)}
        return all(name in alive and beats.get(name, since + 1) > since for name in names)

    def _watch(self) -> None:
        valkey = Redis.from_url(self.engines.redis_url, socket_timeout=_SLOW_S)
        while not self._ending.wait(_EVERY_S):
            asked = time.monotonic()
            is_well = self._are_runs_held() and _answers(valkey) and self._are_all_alive()
            if not is_well or time.monotonic() - asked > _SLOW_S:
                self._last_unwell = time.monotonic()
        valkey.close()

    def _are_runs_held(self) -> bool:
        try:
            if self._connection is None:
                self._connection = psycopg.connect(
                    self.engines.database_url, autocommit=True, connect_timeout=2
                )
            row = self._connection.execute(_STALE).fetchone()
        except psycopg.Error:
            self._connection = None
            return False
        return row is not None and row[0] == 0

    def _are_all_alive(self) -> bool:
        return all(s.pid is not None and _is_alive(s.pid) for s in self.day.processes().values())


def _answers(valkey: Redis) -> bool:
    try:
        return bool(valkey.ping())
    except RedisError:
        return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
