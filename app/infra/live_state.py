"""Read what the running processes say about themselves in Valkey: marks, feed, beat, workers, queues."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import redis

from app.domain.accounts import BrokerCode
from app.domain.breaker import Breaker, EndpointClass
from app.domain.ids import InstrumentId
from app.domain.instruments import Venue
from app.infra.breaker_store import BreakerStore
from app.infra.marks import read_marks
from app.infra.names import ALL_QUEUES, BEAT_STATE_KEY, FEED_STATE_KEY, WORKERS_KEY
from app.infra.streams import connect_impatient

_TIMEOUT_S = 1.0
_QUEUE_DATABASE = 1  # where make_celery puts the broker


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeats:
    """Hold when each process last spoke, in epoch seconds of the machine; None means never."""

    feed_wall: float | None
    feed_status: str
    beat_wall: float | None
    workers: dict[str, float]
    queues: dict[str, int]


class LiveState:
    """Read the shared state. Thread-safe; methods raise redis.RedisError when Valkey is away.

    A Valkey that hangs costs its readers a second in three, so that they leave the API's threads to others.
    """

    def __init__(self, redis_url: str) -> None:
        """Args: redis_url: Valkey or Redis; a database number in it is ignored."""
        base = urlunsplit(urlsplit(redis_url)._replace(path=""))
        self._data = connect_impatient(f"{base}/0")
        self._queues = connect_impatient(f"{base}/{_QUEUE_DATABASE}")
        self._news = _connect(f"{base}/0")

    @property
    def data(self) -> redis.Redis:
        """The connection to streams and marks, for parts that bring their own reading."""
        return self._data

    def ping(self) -> None:
        """Raise redis.RedisError when Valkey cannot be reached."""
        self._data.ping()

    def marks(self, instrument_ids: Iterable[str]) -> dict[str, Decimal]:
        """Return the latest price of each instrument that has one; nothing while Valkey is away."""
        ids = [InstrumentId(i) for i in sorted(set(instrument_ids))]
        return {i: tick.last for i, tick in read_marks(self._data, ids).items()}

    def breakers(self) -> Mapping[tuple[BrokerCode, EndpointClass], Breaker]:
        """Return the breakers of which something is known."""
        return BreakerStore(self._data).read_all()

    def heartbeats(self, *, venue: Venue) -> Heartbeats:
        """Return the processes' last signs of life and the queues' lengths."""
        self.ping()  # a pipeline alone would not start the silence
        pipe = self._data.pipeline(transaction=False)
        pipe.hgetall(FEED_STATE_KEY.format(venue=venue))
        pipe.hget(BEAT_STATE_KEY, "wall")
        pipe.hgetall(WORKERS_KEY)
        feed, beat, workers = pipe.execute()
        lengths = self._queues.pipeline(transaction=False)
        for queue in ALL_QUEUES:
            lengths.llen(queue)
        return Heartbeats(
            feed_wall=_epoch(feed.get("last_wall")),
            feed_status=feed.get("status", ""),
            beat_wall=None if beat is None else float(beat),
            workers={name: float(wall) for name, wall in workers.items()},
            queues=dict(zip(ALL_QUEUES, lengths.execute(), strict=True)),
        )

    def wait_for_news(self, cursors: dict[str, str], *, timeout_s: float) -> bool:
        """Wait until one of the event streams grows; moves the cursors on (values: last seen entry id)."""
        streams: dict[Any, Any] = dict(cursors)
        reply = self._news.xread(streams, count=100, block=max(1, int(timeout_s * 1000)))
        found = cast("list[tuple[str, list[tuple[str, dict[str, str]]]]]", reply)
        for stream, entries in found:
            cursors[stream] = entries[-1][0]
        return bool(found)

    def close(self) -> None:
        """Close all connections."""
        for client in (self._data, self._queues, self._news):
            client.close()


def _connect(url: str) -> redis.Redis:
    """Return a client that may wait for news for a second."""
    return redis.Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=_TIMEOUT_S + 1,
        socket_connect_timeout=_TIMEOUT_S,
        health_check_interval=10,
    )


def _epoch(iso: str | None) -> float | None:
    return None if iso is None else datetime.fromisoformat(iso).timestamp()
