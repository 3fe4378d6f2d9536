"""Read the brokers' own books beside everything that keeps ours, and tell where they differ (I2, I4).

Nothing of the books runs, of the resolver or of what they stored is used: a lane that misreads, or a books
run that hangs, cannot hide itself here. Only the adapters, which know the brokers' words, are shared.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial

import structlog

from app.db.exits import accounts_with_session
from app.db.invariants import Book, Breach, find_book_breaches
from app.db.session import Database
from app.domain.breaker import EndpointClass, witness_of_read
from app.domain.errors import BrokerError, ConfigError, UnavailableError
from app.domain.ids import CLIENT_ORDER_ID_LENGTH, AccountId
from app.domain.markets import Market
from app.domain.ports import Clock
from app.services.breakers import Breakers
from app.services.gateways import Gateways

log = structlog.get_logger()

_READS_AT_ONCE = 8
_LOOK_LASTS_S = 30.0
"""Accounts that are not reached by then are left to the next look: the brokers may hang."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookFindings:
    """Hold what two looks in a row showed, and whose books the last one could not read."""

    breaches: Sequence[Breach]
    unread: Sequence[AccountId]


class BookAuditor:
    """Compare every account that is logged in with its broker, one look after the other. Thread-safe."""

    def __init__(self, database: Database, clock: Clock, gateways: Gateways, breakers: Breakers) -> None:
        self._database = database
        self._clock = clock
        self._gateways = gateways
        self._breakers = breakers
        self._lock = threading.Lock()
        self._seen: dict[AccountId, frozenset[Breach]] = {}
        self._confirmed: dict[AccountId, frozenset[Breach]] = {}

    def look(self, days: Mapping[date, Sequence[Market]]) -> BookFindings:
        """Look once at the accounts of these markets; let a reconciliation period pass between two looks.

        A difference that stands in two looks in a row is a breach. It stays one while its account's books
        cannot be read.
        """
        ends = self._clock.monotonic() + _LOOK_LASTS_S
        with self._lock, ThreadPoolExecutor(_READS_AT_ONCE, thread_name_prefix="audit") as pool:
            accounts = {i: day for day, markets in days.items() for m in markets for i in self._accounts(m)}
            read = pool.map(partial(self._compare, ends=ends), accounts.items())
            found = dict(zip(accounts, read, strict=True))
            self._seen = {i: seen for i, seen in self._seen.items() if i in found}
            self._confirmed = {i: known for i, known in self._confirmed.items() if i in found}
            for account_id, differences in found.items():
                if differences is not None:
                    self._confirmed[account_id] = differences & self._seen.get(account_id, frozenset())
                    self._seen[account_id] = differences
            breaches = [breach for known in self._confirmed.values() for breach in known]
        unread = [account_id for account_id, differences in found.items() if differences is None]
        return BookFindings(breaches=sorted(breaches, key=lambda b: (b.invariant, b.subject)), unread=unread)

    def audit(self, days: Mapping[date, Sequence[Market]], *, pause: Callable[[], object]) -> BookFindings:
        """Look twice, with a pause of a reconciliation period in between where the first look differs."""
        findings = self.look(days)
        if not any(self._seen.values()):
            return findings
        pause()
        return self.look(days)

    def _accounts(self, market: Market) -> Sequence[AccountId]:
        with self._database.begin() as session:
            spec = {"shard": 0, "of": 1, "brokers": sorted(market.brokers)}
            return accounts_with_session(session, spec)

    def _compare(self, account: tuple[AccountId, date], *, ends: float) -> frozenset[Breach] | None:
        """Return how an account's book differs from ours, None where it could not be read."""
        account_id, day = account
        if self._clock.monotonic() > ends or not self._may_read(account_id):
            return None
        asked_at, fault = self._clock.wall(), None
        try:
            book = self._read(account_id)
        except BrokerError as e:
            fault, book = e, None
            log.warning("book_not_audited", account_id=account_id, error=str(e))
        except ConfigError as e:
            log.warning("book_not_audited", account_id=account_id, error=str(e))
            return None
        self._breakers.hear(EndpointClass.READS, [witness_of_read(account_id, asked_at, fault)])
        if book is None:
            return None
        with self._database.begin() as session:
            return frozenset(find_book_breaches(session, day, account_id=account_id, book=book))

    def _may_read(self, account_id: AccountId) -> bool:
        broker = self._gateways.broker_of(account_id)
        try:
            return self._breakers.gate(broker, EndpointClass.READS)(account_id)
        except UnavailableError:
            return True  # reading opens no exposure

    def _read(self, account_id: AccountId) -> Book | None:
        """Return the account's book at its broker, None where the broker itself does not vouch for it."""
        gateway = self._gateways.get(account_id)
        orders, positions = gateway.request_orders(), gateway.request_positions()
        if not (orders.clean and positions.clean):
            return None
        return Book(
            orders=[
                (o.tag[:CLIENT_ORDER_ID_LENGTH], o.broker_order_id, o.broker_symbol, o.filled)
                for o in orders.data
            ],
            positions=[(p.broker_symbol, p.net_qty) for p in positions.data],
        )
