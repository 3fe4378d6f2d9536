"""Talk to Valkey with explicit time-outs, and follow streams through its restarts."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis.asyncio
import structlog
from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ValkeyConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as ValkeyTimeoutError
from redis.retry import Retry

log = structlog.get_logger()

_CONNECT_TIMEOUT_S = 3.0
_SOCKET_TIMEOUT_S = 5.0
_POOL_SIZE = 32
_IMPATIENT_TIMEOUT_S = 1.0
_SILENCE_S = 2.0
_GLANCE_S = 0.2
_BACKOFF_S = 0.25
BEGINNING = "0-0"
"""Position before the first entry of a stream."""


class _Impatient(Redis):
    """A client that asks nothing for two seconds once the server has left a command without an answer."""

    _silent_until = float("-inf")

    def execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401  redis-py's signature
        if time.monotonic() < self._silent_until:
            raise ValkeyTimeoutError("Valkey has just left a command without an answer")
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # redis-py
        except (ValkeyTimeoutError, ValkeyConnectionError):
            self._silent_until = time.monotonic() + _SILENCE_S
            raise

    def pipeline(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401  redis-py's signature
        if time.monotonic() < self._silent_until:
            raise ValkeyTimeoutError("Valkey has just left a command without an answer")
        return super().pipeline(*args, **options)


def connect_impatient(url: str, *, pool_size: int = _POOL_SIZE) -> Redis:
    """Return a client for those who must not wait: a Valkey that hangs costs them a second in three.

    What an exit asks of Valkey it can do without (I7), but not after five seconds for each question. A
    pipeline is refused in that time too, but does not start it. Thread-safe.
    """
    return _Impatient.from_pool(_pool(url, pool_size, timeout_s=_IMPATIENT_TIMEOUT_S))


def connect(url: str, *, pool_size: int = _POOL_SIZE) -> Redis:
    """Return a client that decodes text, waits at most 5 s for anything and holds few connections.

    A pooled connection that died with a restart of the server is replaced at once by one retry; a
    time-out is never retried, because the command may have been carried out. Thread-safe.
    """
    return Redis.from_pool(_pool(url, pool_size, timeout_s=_SOCKET_TIMEOUT_S))


def is_reachable(url: str) -> bool:
    """Whether the server answers within a fifth of a second: asked by who must not miss a beat."""
    wait_s = _GLANCE_S
    try:
        with Redis.from_url(url, socket_timeout=wait_s, socket_connect_timeout=wait_s) as client:
            return bool(client.ping())
    except RedisError:
        return False


def _pool(url: str, pool_size: int, *, timeout_s: float) -> BlockingConnectionPool:
    return BlockingConnectionPool.from_url(
        url,
        decode_responses=True,
        max_connections=pool_size,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=min(timeout_s, _CONNECT_TIMEOUT_S),
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 1, supported_errors=(ValkeyConnectionError,)),
    )


def connect_async(url: str, *, pool_size: int = _POOL_SIZE) -> redis.asyncio.Redis:
    """Return the client of `connect` for one asyncio loop."""
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        url,
        decode_responses=True,
        max_connections=pool_size,
        timeout=_SOCKET_TIMEOUT_S,
        socket_timeout=_SOCKET_TIMEOUT_S,
        socket_connect_timeout=_CONNECT_TIMEOUT_S,
        socket_keepalive=True,
        retry=redis.asyncio.retry.Retry(NoBackoff(), 1, supported_errors=(ValkeyConnectionError,)),
    )
    return redis.asyncio.Redis.from_pool(pool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Carry one entry of a stream."""

    stream: str
    entry_id: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Carry what arrived; `gaps` names the streams where entries may have been missed before it."""

    entries: tuple[Entry, ...] = ()
    gaps: tuple[str, ...] = ()


class StreamReader:
    """Follow streams by position, through restarts of the server. One thread reads, any thread may add.

    A gap is reported when the entry at which the reader stood is no longer there: it was trimmed
    because the reader was slow, or lost with the server.
    """

    def __init__(self, valkey: Redis, *, block_ms: int = 100, count: int = 500) -> None:
        self._valkey = valkey
        self._block_ms = block_ms
        self._count = count
        self._positions: dict[str, str] = {}
        self._unsure: set[str] = set()
        self._being_read: frozenset[str] = frozenset()
        self._lock = threading.Condition()

    def follow(self, stream: str, *, after: str) -> None:
        """Read a stream from the entry after this position on."""
        with self._lock:
            self._positions[stream] = after
            self._unsure.add(stream)

    def wait_until_read(self, stream: str, timeout_s: float) -> bool:
        """Wait until the reading thread listens to a followed stream too; False when the time is over."""
        with self._lock:
            return self._lock.wait_for(lambda: stream in self._being_read, timeout_s)

    def forget(self, stream: str) -> None:
        """Stop reading a stream."""
        with self._lock:
            self._positions.pop(stream, None)
            self._unsure.discard(stream)

    def read(self, stop: threading.Event) -> Batch:
        """Return what arrived within the blocking time; an empty batch while the server is away."""
        with self._lock:
            positions = dict(self._positions)
            self._being_read = frozenset(positions)
            self._lock.notify_all()
        if not positions:
            stop.wait(self._block_ms / 1000)
            return Batch()
        try:
            gaps = self._check(positions)
            reply = self._valkey.xread(
                cast("Any", positions), count=self._count, block=min(self._block_ms, 4000)
            )
        except RedisError as e:
            log.warning("stream_unreadable", streams=sorted(positions), error=type(e).__name__)
            with self._lock:
                self._unsure.update(self._positions)
            stop.wait(_BACKOFF_S)
            return Batch()
        return Batch(entries=self._advance(cast("Sequence[Any]", reply)), gaps=gaps)

    def _check(self, positions: Mapping[str, str]) -> tuple[str, ...]:
        with self._lock:
            unsure = self._unsure & positions.keys()
        gaps = tuple(
            stream
            for stream in sorted(unsure)
            if positions[stream] != BEGINNING
            and not self._valkey.xrange(stream, positions[stream], positions[stream])
        )
        with self._lock:
            self._unsure -= unsure
        return gaps

    def _advance(self, reply: Sequence[Any]) -> tuple[Entry, ...]:
        entries: list[Entry] = []
        with self._lock:
            for stream, rows in reply:
                if stream not in self._positions:
                    continue
                self._positions[stream] = rows[-1][0]
                if len(rows) == self._count:
                    self._unsure.add(stream)  # behind: the next read must prove that nothing was trimmed
                entries += (Entry(stream=stream, entry_id=i, fields=fields) for i, fields in rows)
        return tuple(entries)


def last_entry_id(valkey: Redis, stream: str) -> str:
    """Return the id of the newest entry, or BEGINNING for an empty stream."""
    rows = cast("Sequence[Any]", valkey.xrevrange(stream, count=1))
    return str(rows[0][0]) if rows else BEGINNING


def entries_after(valkey: Redis, stream: str, *, after: str, until: str = "+") -> tuple[Entry, ...]:
    """Return the entries between two positions, the first excluded, the last included."""
    rows = cast("Sequence[Any]", valkey.xrange(stream, f"({after}", until))
    return tuple(Entry(stream=stream, entry_id=i, fields=fields) for i, fields in rows)
