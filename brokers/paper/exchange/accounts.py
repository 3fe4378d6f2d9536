"""Open accounts at their first login, and know whose session a request carries."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from brokers.paper.exchange.clock import Clock
from brokers.paper.exchange.refusals import RefusedError, invalid
from brokers.paper.exchange.rules import Rules
from brokers.paper.exchange.store import AccountRow, SessionRow, Store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@/-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Hand a new session to the one who logged in; the token is told this once."""

    account: AccountRow
    token: str
    expires_at: datetime


class Accounts:
    """Log accounts in. One thread at a time, inside the caller's transaction."""

    def __init__(self, store: Store, rules: Rules, clock: Clock, house_token: str) -> None:
        self._store, self._rules, self._clock = store, rules, clock
        self._house_token = house_token

    def require_house(self, token: str) -> None:
        """Demand the token of the installation. Raises: RefusedError."""
        if not hmac.compare_digest(token.encode(), self._house_token.encode()):
            raise RefusedError(401, "unauthorized", "expected the token of the paper exchange")

    def log_in(self, name: str, currency: str, source: str) -> Opened:
        """Open a session bound to its source address; a new account gets its opening balance.

        Raises: RefusedError: the name or the currency cannot be.
        """
        if _NAME.fullmatch(name) is None:
            raise invalid(f"account: expected 1 to 64 of A-Z a-z 0-9 . _ @ / -, got {name[:80]!r}")
        account = self._store.account(name) or self._opened(name, currency)
        if account.currency != currency:
            raise invalid(f"currency: account {name} is in {account.currency}, got {currency[:10]!r}")
        now = self._clock.now()
        self._store.remove_sessions(ended_by=now)
        token = secrets.token_urlsafe(32)
        expires_at = now + timedelta(hours=self._rules.session_hours)
        self._store.add_session(
            hash_of(token), SessionRow(account=name, source=source, expires_at=expires_at)
        )
        return Opened(account=account, token=token, expires_at=expires_at)

    def require_session(self, token: str, source: str) -> AccountRow:
        """Return the account of a session. Raises: RefusedError: ended, unknown, or from another address."""
        session = self._store.session(hash_of(token))
        if session is None or session.expires_at <= self._clock.now():
            raise RefusedError(401, "session_over", "the session has ended or never was: log in again")
        if session.source != source:
            raise RefusedError(
                403, "address_denied", f"the session is of {session.source}, the request of {source}"
            )
        account = self._store.account(session.account)
        if account is None:
            raise RefusedError(401, "session_over", "the session's account is gone")
        return account

    def end_sessions(self, name: str) -> None:
        """End every session of an account."""
        self._store.remove_sessions(account=name)

    def _opened(self, name: str, currency: str) -> AccountRow:
        cash = self._rules.opening_balance.get(currency)
        if cash is None:
            known = ", ".join(sorted(self._rules.opening_balance))
            raise invalid(f"currency: expected one of {known}, got {currency[:10]!r}")
        self._store.add_account(name, currency, cash)
        account = self._store.account(name)
        if account is None:
            raise RefusedError(500, "lost", f"account {name} could not be opened")
        return account


def hash_of(token: str) -> str:
    """Return what is stored instead of a token."""
    return hashlib.sha256(token.encode()).hexdigest()
