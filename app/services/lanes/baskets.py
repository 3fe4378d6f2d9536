"""Settle the entries of signals: undo those of which a leg failed, record how the others ended."""

import structlog
from sqlalchemy.exc import OperationalError

from app.db.baskets import settle_baskets
from app.db.leases import LeaseLostError, check_fence
from app.db.session import Database
from app.domain.ports import Clock
from app.services.runs import Lease

log = structlog.get_logger()

_LOOK_EVERY_S = 0.2


class Baskets:
    """Look at the open baskets of an exits lane's shard from time to time. One owner."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._looked = float("-inf")

    def settle(self, lease: Lease) -> None:
        """Take one look if it is due. Level-triggered: what it misses now it finds at the next one."""
        if self._clock.monotonic() - self._looked < _LOOK_EVERY_S:
            return
        self._looked = self._clock.monotonic()
        try:
            with self._database.begin() as session:
                check_fence(session, lease.name, fence=lease.fence)
                settled = settle_baskets(session, lease.spec, now=self._clock.now(), wall=self._clock.wall())
        except LeaseLostError:
            log.warning("settling_refused", run=lease.name, fence=lease.fence)
            return
        except OperationalError as e:
            # Nothing was committed; the next look sees the same baskets.
            log.warning("settling_postponed", run=lease.name, error=type(e.orig).__name__)
            return
        if settled.withheld or settled.legs:
            log.warning("incomplete_baskets_unwound", legs=settled.legs, withheld=len(settled.withheld))
