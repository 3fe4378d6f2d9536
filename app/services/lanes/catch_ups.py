"""Read an account's book after a gap or a stranger in its stream, in threads of their own.

No exit waits behind such a read.
"""

import queue
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

import structlog

from app.domain.breaker import Witness, witness_of_read
from app.domain.errors import BrokerError
from app.domain.ids import AccountId
from app.domain.ports import Clock
from app.services.gateways import Gateways
from app.services.lanes.bulkhead import Bounds, Bulkhead
from app.services.reconciliation import Reconciliation

log = structlog.get_logger()

_READS_PER_BROKER = 4  # after a takeover all accounts ask; the lane must not starve beside its readers
_AGAIN_AFTER_S = 0.5
_MOST_READS = 10


@dataclass(frozen=True, slots=True)
class _Wish:
    """Ask for a read, not before a moment (monotonic); the periodic reads go on when none are left."""

    due_at: float = 0.0
    reads_left: int = _MOST_READS - 1


class CatchUps:
    """Remember which accounts have missed news, and read their books when a thread is free. One owner.

    A book may lag behind the news that made us read it: it is read again until a clean read has caught up.
    """

    def __init__(self, gateways: Gateways, reconciliation: Reconciliation, clock: Clock) -> None:
        self._clock = clock
        self._gateways = gateways
        self._reconciliation = reconciliation
        self._behind: dict[AccountId, _Wish] = {}
        self._again: queue.SimpleQueue[tuple[AccountId, _Wish]] = queue.SimpleQueue()
        bounds = Bounds(broker_of=gateways.broker_of, per_broker=_READS_PER_BROKER, per_account=1)
        self._bulkhead = Bulkhead("catch-up", bounds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bulkhead.close()

    def need(self, account_id: AccountId) -> None:
        """Note that an account's stream may have missed anything, or told of an order that is not ours."""
        self._behind[account_id] = _Wish()

    def start(self) -> None:
        """Start the reads that find a thread; the others wait for the next look."""
        now, seats = self._clock.monotonic(), self._bulkhead.seats()
        while not self._again.empty():
            account_id, wish = self._again.get()
            self._behind.setdefault(account_id, wish)
        for account_id in [i for i, w in self._behind.items() if w.due_at <= now and seats.takes(i)]:
            wish = self._behind.pop(account_id)
            self._bulkhead.start(account_id, partial(self._read, account_id, wish))

    def _read(self, account_id: AccountId, wish: _Wish) -> Witness | None:
        asked_at = self._clock.wall()
        try:
            read = self._gateways.get(account_id).request_orders()
        except BrokerError as e:
            log.warning("catch_up_failed", account_id=account_id, error=str(e))
            return witness_of_read(account_id, asked_at, e)
        self._reconciliation.apply_book(account_id, read, source="gap")
        if not read.clean and wish.reads_left > 0:
            due_at = self._clock.monotonic() + _AGAIN_AFTER_S
            self._again.put((account_id, _Wish(due_at=due_at, reads_left=wish.reads_left - 1)))
        return witness_of_read(account_id, asked_at, None)
