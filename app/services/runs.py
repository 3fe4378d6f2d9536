"""Keep leased runs alive: take the lease, renew it from a thread of its own, stop in time.

A run is bounded. It ends at its length, on shutdown, when it is no longer wanted, or when its lease is
lost; then its successor is started by the supervisor. Past the local deadline a host must not write
any more, even before it has heard that somebody else took over (a frozen and resumed process).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.exc import OperationalError

from app.db.leases import LeaseLostError, release_lease, renew_lease, take_lease
from app.db.lost_orders import doubt_ledger
from app.db.session import Database
from app.domain.ports import Clock
from app.infra.names import RunKind

log = structlog.get_logger()

_SENDING = (RunKind.ENTRIES, RunKind.EXITS)


class Lease:
    """Hold the right to run `name` until the local deadline, which each renewal moves on."""

    def __init__(self, *, name: str, fence: int, spec: dict[str, Any], deadline: float, clock: Clock) -> None:
        self.name = name
        self.fence = fence
        self.spec = spec
        self.progress: dict[str, Any] = {}
        self._clock = clock
        self._deadline = deadline
        self.ended = threading.Event()
        self.left = threading.Event()
        """Set when the holder writes no more: from then on a successor may begin."""
        self.has_lapsed = False
        """Whether the holder left because its deadline had passed, and nobody had told it to end."""

    def is_valid(self) -> bool:
        """Whether the holder may still write."""
        return self._clock.monotonic() < self._deadline and not self.ended.is_set()

    def prolong(self, deadline: float) -> None:
        """Move the local deadline after a successful renewal."""
        self._deadline = deadline

    def end(self) -> None:
        """Tell the run to stop; called on loss, shutdown, or when it is no longer wanted."""
        self.ended.set()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Write within the block only: after it the lease is given back at once, even if a call hangs."""
        try:
            yield
        finally:
            self.leave()

    def leave(self) -> None:
        """Let a successor begin. Idempotent."""
        if not self.left.is_set():
            self.has_lapsed = not self.ended.is_set()
            self.ended.set()
            self.left.set()


@contextmanager
def held_lease(
    database: Database,
    clock: Clock,
    *,
    name: str,
    holder: str,
    ttl: timedelta,
    length_s: float,
    can_hand_over: Callable[[], bool] = lambda: True,
) -> Iterator[Lease | None]:
    """Yield the lease while it is held, or None when another holder has it.

    Args:
        database: where the lease row lives.
        clock: for the local deadline (monotonic seconds).
        name: the run.
        holder: who asks, for the operators' eyes.
        ttl: how long the lease lives without renewal (real time).
        length_s: after so many real seconds the run is told to end and hand over.
        can_hand_over: whether a successor can be called now; a run goes on until it can. Answers soon.
    """
    asked = clock.monotonic()
    with database.begin() as session:
        taken = take_lease(session, name, holder=holder, ttl=ttl)
        if taken is not None and taken.was_interrupted and taken.kind in _SENDING:
            doubt_ledger(session, taken.spec)
    if taken is None:
        yield None
        return
    deadline = asked + ttl.total_seconds()
    lease = Lease(name=name, fence=taken.fence, spec=taken.spec, deadline=deadline, clock=clock)
    log.info("run_started", run=name, fence=taken.fence, holder=holder)

    def keep() -> None:
        try:
            _renew_until_ended(
                database, clock, lease, ttl=ttl, ends_at=asked + length_s, can_hand_over=can_hand_over
            )
        finally:
            lease.left.wait()
            _give_back(database, lease)

    renewer = threading.Thread(target=keep, daemon=True)
    renewer.start()
    try:
        yield lease
    finally:
        lease.leave()
        renewer.join()


def _renew_until_ended(
    database: Database,
    clock: Clock,
    lease: Lease,
    *,
    ttl: timedelta,
    ends_at: float,
    can_hand_over: Callable[[], bool],
) -> None:
    period_s = ttl.total_seconds() / 3
    while not lease.ended.wait(period_s):
        asked = clock.monotonic()
        try:
            with database.begin() as session:
                is_wanted = renew_lease(
                    session, lease.name, fence=lease.fence, ttl=ttl, progress=lease.progress
                )
        except LeaseLostError:
            log.warning("lease_lost", run=lease.name, fence=lease.fence)
            lease.end()
            return
        except OperationalError as e:
            # The deadline decides: the run goes on until it passes, then stops by itself.
            log.warning("lease_not_renewed", run=lease.name, error=str(e.orig))
            continue
        lease.prolong(asked + ttl.total_seconds())
        if not is_wanted or (asked >= ends_at and can_hand_over()):
            lease.end()


def _give_back(database: Database, lease: Lease) -> None:
    try:
        with database.begin() as session:
            release_lease(session, lease.name, fence=lease.fence)
    except OperationalError as e:
        log.warning("lease_not_released", run=lease.name, error=str(e.orig))
    log.info("run_ended", run=lease.name, fence=lease.fence)


def stop_on(event: threading.Event, lease: Lease) -> Callable[[], None]:
    """Watch a shutdown flag in a thread and end the lease when it is set; return the way to stop watching."""

    def watch() -> None:
        while not lease.ended.is_set():
            if event.wait(0.2):
                lease.end()

    threading.Thread(target=watch, daemon=True).start()
    return lease.end
