"""Start an embedded engine again when it died, so that a crash of Valkey costs seconds and not the day."""

import threading
from pathlib import Path

import structlog

from app.infra.engines.engines import engine_pids, ensure_engines
from app.infra.engines.errors import EngineError

log = structlog.get_logger()

_LOOK_EVERY_S = 0.3


class EngineWatch:
    """Watch the engines of one home from a thread; what the settings name as external is left alone."""

    def __init__(self, home: Path, *, redis_url: str | None, database_url: str | None) -> None:
        self._home = home
        self._redis_url = redis_url
        self._database_url = database_url
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="engines", daemon=True)
        self.restarts = 0

    def start(self) -> None:
        """Begin to watch."""
        if self._redis_url is None or self._database_url is None:
            self._thread.start()

    def stop(self) -> None:
        """End the watch; the engines go on."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        ours = {"valkey": self._redis_url is None, "postgres": self._database_url is None}
        while not self._ending.wait(_LOOK_EVERY_S):
            pids = engine_pids(self._home)
            dead = [name for name, is_ours in ours.items() if is_ours and pids.get(name) is None]
            if dead:
                self._start_again(dead)

    def _start_again(self, dead: list[str]) -> None:
        log.warning("engine_died", engines=dead)
        try:
            ensure_engines(self._home, self._redis_url, self._database_url)
        except EngineError as e:
            log.error("engine_not_started", engines=dead, error=str(e))  # noqa: TRY400  a sentence, no trace
            return
        self.restarts += 1
        log.warning("engine_started_again", engines=dead)
