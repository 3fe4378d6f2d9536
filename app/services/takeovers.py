"""Take over the exits lanes that nobody holds, by a look of one's own: no Beat, queue or Valkey is needed.

The supervisor calls a successor through all of these, and each may be what has just failed; a frozen worker
even takes the call and keeps it. Positions cannot wait for them (I5).
"""

import threading
from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy.exc import OperationalError

from app.db.leases import last_holders, release_lease
from app.db.session import Database
from app.infra.holders import is_dead_here
from app.infra.names import RunKind

log = structlog.get_logger()

_QUEUE_HAS = timedelta(seconds=0.2)
"""How long a run may wait for the task that was sent for it, so that jobs stay where people look for them."""


class Takeovers:
    """Start a host for each lapsed lane; whoever is not the first finds it busy. One owner."""

    def __init__(
        self, database: Database, host: Callable[[str], object], *, queue_has: timedelta = _QUEUE_HAS
    ) -> None:
        """Args: host: runs a lane by its name until it ends, as the task does that the queue brings."""
        self._queue_has = queue_has
        self._database = database
        self._host = host
        self._threads: dict[str, threading.Thread] = {}

    def look(self) -> None:
        """Look once; raises nothing that passes."""
        try:
            with self._database.begin() as session:
                runs = last_holders(session, RunKind.EXITS)
                orphaned = [run for run in runs if run.lapsed_s < 0 and is_dead_here(run.holder)]
                for run in orphaned:
                    # Long before it would lapse.
                    release_lease(session, run.name, fence=run.fence)
        except OperationalError as e:
            log.info("takeovers_wait", error=type(e.orig).__name__)
            return
        lapsed = [run for run in runs if run.waited_s > self._queue_has.total_seconds()]
        for run in (*lapsed, *orphaned):
            self._start(run.name)

    def _start(self, name: str) -> None:
        known = self._threads.get(name)
        if known is None or not known.is_alive():
            log.warning("exits_taken_over", run=name)
            self._threads[name] = threading.Thread(target=self._host, args=(name,), name=name)
            self._threads[name].start()
