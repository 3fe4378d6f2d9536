"""Keep one account's or broker's hanging calls from taking the threads of the others (I8).

A call starts at once or not at all: what finds no seat stays in its table, where it is judged again, and
never waits in an executor's queue, from which it would leave late.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import Self

import structlog

from app.domain.accounts import BrokerCode
from app.domain.breaker import Witness
from app.domain.errors import InvariantError
from app.domain.ids import AccountId

log = structlog.get_logger()


BrokerOf = Callable[[AccountId], BrokerCode]


Call = Callable[[], Witness | None]
"""Makes a call and returns what it says about its broker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Say how many calls may be under way at once, and which broker an account is at.

    A quarter of a broker's seats is kept for accounts whose last call was answered: where many accounts hang,
    but not all, they hold the others up once and no longer.
    """

    broker_of: BrokerOf
    per_broker: int
    per_account: int

    @property
    def for_suspects(self) -> int:
        """How many seats are left to the accounts that the broker left without an answer."""
        return self.per_broker - self.per_broker // 4


class Seats:
    """Hold the seats that were free at one moment; taking one does not start anything yet."""

    def __init__(
        self,
        bounds: Bounds,
        *,
        by_broker: Mapping[BrokerCode, int],
        by_account: Mapping[AccountId, int],
        suspects: Collection[AccountId],
    ) -> None:
        self._bounds = bounds
        self._by_broker = Counter(by_broker)
        self._by_account = Counter(by_account)
        self._suspects = frozenset(suspects)

    def has(self, account_id: AccountId) -> bool:
        """Whether a call of this account could start."""
        bounds = self._bounds
        seats = bounds.for_suspects if account_id in self._suspects else bounds.per_broker
        return (
            self._by_broker[bounds.broker_of(account_id)] < seats
            and self._by_account[account_id] < bounds.per_account
        )

    def takes(self, account_id: AccountId) -> bool:
        """Take a seat for a call that will be started, or say that there is none."""
        if not self.has(account_id):
            return False
        self._by_broker[self._bounds.broker_of(account_id)] += 1
        self._by_account[account_id] += 1
        return True

    def full_accounts(self) -> list[AccountId]:
        """Return the accounts that have no seat left of their own."""
        return [i for i, calls in self._by_account.items() if calls >= self._bounds.per_account]


class Bulkhead:
    """Make calls in threads, within bounds for each broker and each account.

    One owner looks at the seats and starts calls, at most as many as it took seats; calls end in any thread.
    """

    def __init__(self, name: str, bounds: Bounds) -> None:
        self._bounds = bounds
        # Threads are made when they are needed; the number is so high that no call ever waits for one.
        self._pool = ThreadPoolExecutor(bounds.per_broker * len(BrokerCode), thread_name_prefix=name)
        self._lock = Lock()
        self._by_broker: Counter[BrokerCode] = Counter()
        self._by_account: Counter[AccountId] = Counter()
        self._suspects: set[AccountId] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Wait until the calls under way have ended."""
        self._pool.shutdown()

    def seats(self) -> Seats:
        """Return the seats of this moment."""
        with self._lock:
            return Seats(
                self._bounds,
                by_broker=self._by_broker,
                by_account=+self._by_account,
                suspects=self._suspects,
            )

    def start(self, account_id: AccountId, call: Call) -> None:
        """Start a call for which a seat was taken; a fault that ends it is logged."""
        broker = self._bounds.broker_of(account_id)
        with self._lock:
            is_full = self._by_account[account_id] >= self._bounds.per_account
            if is_full or self._by_broker[broker] >= self._bounds.per_broker:
                raise InvariantError(f"account {account_id}: expected a free seat, found none")
            self._by_broker[broker] += 1
            self._by_account[account_id] += 1
        self._pool.submit(self._call, account_id, call).add_done_callback(_log_failure)

    def _call(self, account_id: AccountId, call: Call) -> None:
        witness = None
        try:
            witness = call()
        finally:
            with self._lock:
                self._by_broker[self._bounds.broker_of(account_id)] -= 1
                self._by_account[account_id] -= 1
                if witness is not None:
                    (self._suspects.add if witness.is_against else self._suspects.discard)(account_id)


def _log_failure(future: "Future[None]") -> None:
    """Say when a call ended with a fault; what it was about is resolved by evidence."""
    error = future.exception()
    if error is not None:
        log.error("lane_call_failed", error=repr(error), exc_info=error)
