"""Let a run sleep until there is something to do: a wake message, a finished call, or its poll period."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import structlog
from redis import Redis
from redis.exceptions import RedisError

from app.infra.names import WAKE_STREAM
from app.services.runs import Lease

log = structlog.get_logger()

_BLOCK_MS = 500


class Wakes:
    """Wait for any reason to look at the tables again."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Wake the run now. Thread-safe."""
        self._event.set()

    def wait(self, timeout_s: float) -> None:
        """Sleep until somebody wakes us or the poll period passes."""
        self._event.wait(timeout_s)
        self._event.clear()

    @contextmanager
    def listening(self, valkey: Redis, lease: Lease) -> Iterator[None]:
        """Turn messages of the run's wake stream into wakes, in a thread, while lease and block last."""
        thread = threading.Thread(target=self._listen, args=(valkey, lease), daemon=True)
        thread.start()
        try:
            yield
        finally:
            lease.end()
            thread.join()

    def _listen(self, valkey: Redis, lease: Lease) -> None:
        stream = WAKE_STREAM.format(run=lease.name)
        cursor = "$"
        while not lease.ended.is_set():
            try:
                reply = valkey.xread({stream: cursor}, block=_BLOCK_MS, count=100)
            except RedisError as e:
                # The run polls its tables meanwhile; only the wake-up is late.
                log.warning("wakes_unavailable", run=lease.name, error=type(e).__name__)
                lease.ended.wait(1.0)
                continue
            for _, entries in cast("Sequence[Any]", reply or ()):
                cursor = entries[-1][0]
                self.set()
        self.set()
