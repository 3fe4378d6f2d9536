"""Keep each account's way to its broker open, so that the first order at the bell finds it warm.

Without this the first order of a process pays for loading the broker's client, for restoring the session and
for the connection: seconds instead of milliseconds, at the one moment that matters.
"""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import structlog

from app.domain.errors import BrokerError
from app.domain.ids import AccountId
from app.domain.ports import Clock
from app.services.gateways import Gateways

log = structlog.get_logger()

_THREADS = 4
_LOOK_EVERY_S = 1.0
_AGAIN_AFTER_S = 40.0  # brokers close a connection that has been idle for about a minute


class Warmth:
    """Warm accounts up in threads of its own: an order never waits behind a warm-up. One owner."""

    def __init__(self, gateways: Gateways, clock: Clock) -> None:
        self._gateways = gateways
        self._clock = clock
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="warmth")
        self._warmed: dict[AccountId, float] = {}
        self._waiting: dict[AccountId, Future[None]] = {}
        self._looked = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def is_due(self) -> bool:
        """Say whether it is time to look at the accounts again, once per period."""
        now = self._clock.monotonic()
        if now - self._looked < _LOOK_EVERY_S:
            return False
        self._looked = now
        return True

    def keep(self, account_ids: Iterable[AccountId]) -> None:
        """Start warming up the accounts that are cold; returns at once."""
        now = self._clock.monotonic()
        for account_id in account_ids:
            waiting = self._waiting.get(account_id)
            if waiting is not None and not waiting.done():
                continue  # an account waits once at most: a broker that hangs makes no heap
            if now - self._warmed.get(account_id, float("-inf")) >= _AGAIN_AFTER_S:
                self._warmed[account_id] = now
                self._waiting[account_id] = self._pool.submit(self._warm, account_id)

    def _warm(self, account_id: AccountId) -> None:
        try:
            self._gateways.get(account_id).warm_up()
        except BrokerError as e:
            # The order itself will find out and say so; the next warm-up comes by itself.
            log.info("not_warmed", account_id=account_id, error=str(e))
