"""Carry a kill switch out where no worker does: host the lanes that nobody holds, in this very process.

The leases and their fencing numbers keep this safe: a lane that a worker holds is left alone, and one that is
held here is busy for every worker.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Self

from app.cli.installation import Installation
from app.db.leases import lapsed_runs
from app.domain.instruments import Venue
from app.infra.names import RunKind
from app.services.lanes.wakes import Wakes
from app.services.runs import Lease, held_lease, stop_on
from tasks.container import Container

_PATIENCE_S = 3.0
"""How long workers have to take over what lapsed, before it is done here."""
_LENGTH_S = 3600.0
_HOLDER = "openbell kill"

Host = Callable[[Container, Lease], object]


def _run_exits(parts: Container, lease: Lease) -> object:
    return parts.new_exit_lane().run(lease, Wakes())


def _run_books(parts: Container, lease: Lease) -> object:
    day = parts.market_days[Venue(lease.spec["venue"])].today()
    return parts.new_books_run().run(lease, Wakes(), day=day)


_HOSTS: Mapping[str, Host] = {RunKind.EXITS: _run_exits, RunKind.BOOKS: _run_books}


class OwnLanes:
    """Hold the lanes that this process had to take over; use as a context. One thread calls it."""

    def __init__(self, home: Installation) -> None:
        self._home = home
        self._parts: Container | None = None
        self._threads: list[threading.Thread] = []
        self._lapsed_since: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._parts is None:
            return
        self._parts.stop.set()
        for thread in self._threads:
            thread.join()
        self._parts.close()

    def take_over(self) -> list[str]:
        """Start what has had no holder for a while; return its names."""
        with self._home.database.begin() as session:
            lapsed = lapsed_runs(session, list(_HOSTS))
        now = time.monotonic()
        self._lapsed_since = {name: self._lapsed_since.get(name, now) for name in lapsed}
        due = [name for name, since in self._lapsed_since.items() if now - since >= _PATIENCE_S]
        for name in due:
            del self._lapsed_since[name]
            run = _HOSTS[lapsed[name]]
            thread = threading.Thread(target=_host, args=(self._container(), name, run), daemon=True)
            self._threads.append(thread)
            thread.start()
        return due

    def _container(self) -> Container:
        if self._parts is None:
            home = self._home
            self._parts = Container(
                settings=home.settings, addresses=home.addresses, stop=threading.Event(), holder=_HOLDER
            )
        return self._parts


def _host(parts: Container, name: str, run: Host) -> None:
    settings = parts.settings
    ttl = settings.exits_lease_ttl if run is _run_exits else settings.lease_ttl
    with held_lease(
        parts.database, parts.clock, name=name, holder=_HOLDER, ttl=ttl, length_s=_LENGTH_S
    ) as lease:
        if lease is not None:
            stop_on(parts.stop, lease)
            run(parts, lease)
