"""Keep one gateway per account and broker session in a process; another login replaces it."""

import threading
from collections.abc import Callable

from app.db.accounts import get_account_for_staff
from app.db.session import Database
from app.domain.accounts import BrokerCode
from app.domain.errors import SessionExpiredError
from app.domain.ids import AccountId
from app.domain.ports import BrokerAdapter, BrokerGateway, BrokerSession, Clock
from app.infra.vault import Vault
from app.services.credentials import OpenSession, load_broker_session

Adapters = Callable[[BrokerCode], BrokerAdapter]


class Gateways:
    """Restore gateways from the sessions that the login tasks stored. Thread-safe."""

    def __init__(self, database: Database, vault: Vault, adapters: Adapters, clock: Clock) -> None:
        self._clock = clock
        self._database = database
        self._vault = vault
        self._adapters = adapters
        self._lock = threading.Lock()
        self._known: dict[AccountId, tuple[int, BrokerGateway]] = {}
        self._restoring: dict[AccountId, threading.Lock] = {}
        self._brokers: dict[AccountId, BrokerCode] = {}

    def get(self, account_id: AccountId) -> BrokerGateway:
        """Return the account's gateway.

        Raises:
            SessionExpiredError: nobody logged this account in.
        """
        with self._lock:
            known = self._known.get(account_id)
        if known is not None:
            return known[1]
        return self.refresh(account_id)

    def refresh(self, account_id: AccountId) -> BrokerGateway:
        """Look for a newer session than the known one and restore it.

        Raises:
            SessionExpiredError: nobody logged this account in.
        """
        stored = self._load(account_id)
        with self._lock:
            restoring = self._restoring.setdefault(account_id, threading.Lock())
        # One account at a time, but never one behind another: an adapter may take its time (I8).
        with restoring:
            with self._lock:
                known = self._known.get(account_id)
            if known is not None and known[0] >= stored.generation:
                return known[1]
            gateway = self._adapters(stored.broker_session.broker).restore(stored.broker_session)
            with self._lock:
                self._known[account_id] = (stored.generation, gateway)
        if known is not None:
            known[1].close()
        return gateway

    def has(self, account_id: AccountId) -> bool:
        """Whether the account's gateway is there already."""
        with self._lock:
            return account_id in self._known

    def forget(self, account_id: AccountId, gateway: BrokerGateway) -> int | None:
        """Close a gateway whose session the broker has ended; the next use takes the newest login's.

        Returns the generation of its session, None when another login has replaced it already.
        """
        with self._lock:
            known = self._known.get(account_id)
            if known is None or known[1] is not gateway:
                return None
            del self._known[account_id]
        gateway.close()
        return known[0]

    def broker_of(self, account_id: AccountId) -> BrokerCode:
        """Return the broker of an account, which never changes."""
        if account_id not in self._brokers:
            with self._database.begin() as session:
                self._brokers[account_id] = get_account_for_staff(session, account_id).broker
        return self._brokers[account_id]

    def stored_session(self, account_id: AccountId) -> BrokerSession:
        """Return the account's open broker session as data.

        Raises:
            SessionExpiredError: nobody logged this account in.
        """
        return self._load(account_id).broker_session

    def _load(self, account_id: AccountId) -> OpenSession:
        with self._database.begin() as session:
            account = get_account_for_staff(session, account_id)
            stored = load_broker_session(session, self._vault, account, now=self._clock.now())
        if stored is None:
            raise SessionExpiredError(f"account {account_id}: expected an open broker session, found none")
        return stored

    def close(self) -> None:
        """Close all gateways of this process."""
        with self._lock:
            known, self._known = self._known, {}
        for _, gateway in known.values():
            gateway.close()
