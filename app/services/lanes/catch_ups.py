"""Read an account's book after a gap or a stranger in its stream, in threads of their own.

No exit waits behind such a read.
"""

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

_READS_PER_BROKER = 8


class CatchUps:
    """Remember which accounts have missed news, and read their books when a thread is free. One owner."""

    def __init__(self, gateways: Gateways, reconciliation: Reconciliation, clock: Clock) -> None:
        self._clock = clock
        self._gateways = gateways
        self._reconciliation = reconciliation
        self._behind: set[AccountId] = set()
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
        self._behind.add(account_id)

    def start(self) -> None:
        """Start the reads that find a thread; the others wait for the next look."""
        seats = self._bulkhead.seats()
        for account_id in [i for i in self._behind if seats.takes(i)]:
            self._behind.discard(account_id)
            self._bulkhead.start(account_id, partial(self._read, account_id))

    def _read(self, account_id: AccountId) -> Witness | None:
        asked_at = self._clock.wall()
        try:
            read = self._gateways.get(account_id).request_orders()
        except BrokerError as e:
            log.warning("catch_up_failed", account_id=account_id, error=str(e))
            return witness_of_read(account_id, asked_at, e)
        self._reconciliation.apply_book(account_id, read, source="gap")
        return witness_of_read(account_id, asked_at, None)
