"""Know the broker's customers: credentials, allowed addresses, logins and sessions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from decimal import Decimal

import jwt
import pyotp

from brokers.simulators.kotak.clock import IST, VirtualClock
from brokers.simulators.kotak.draw import fraction

TOTP_STEP_S = 30
_SIGNING_KEY = "kotak simulator signing key, 32+ bytes long"
_DEFAULT_CASH = "10000000.00"  # rupees


@dataclass(slots=True, kw_only=True)
class Account:
    """One customer as the broker knows him; an empty list of addresses allows every address."""

    ucc: str
    mobile: str
    consumer_key: str
    totp_secret: str
    mpin: str
    allowed_ips: list[str] = field(default_factory=list)
    limits: dict[str, str] = field(default_factory=dict)
    login_hang: bool = False  # fault: logins hang for as long as this is set
    login_error: bool = False  # fault: logins are refused for as long as this is set
    used_steps: set[int] = field(default_factory=set)

    @property
    def cash(self) -> int:
        """Return the cash at the start of the day, paise."""
        return int(Decimal(self.limits.get("Net", _DEFAULT_CASH)) * 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A view or trade session: its token, its source address and when it ends (virtual)."""

    kind: str  # View or Trade
    ucc: str
    token: str
    sid: str
    rid: str
    source: str
    expires_at: datetime


class Accounts:
    """Check credentials and hand out sessions."""

    def __init__(self, clock: VirtualClock, seed: int) -> None:
        self._clock = clock
        self._seed = seed
        self._issued = 0
        self.by_ucc: dict[str, Account] = {}
        self.sessions: dict[str, Session] = {}  # by token

    def put(self, raw: Mapping[str, object]) -> Account:
        """Add an account, or change the named fields of a known one.

        Raises: ValueError for unknown or missing fields.
        """
        names = {item.name for item in fields(Account)} - {"used_steps"}
        unknown = sorted(raw.keys() - names)
        if unknown:
            raise ValueError(f"unknown account fields {unknown}; known are {sorted(names)}")
        ucc = str(raw.get("ucc") or "")
        if "totp_secret" in raw:
            pyotp.TOTP(str(raw["totp_secret"]))  # refuses a secret that is too short
        known = self.by_ucc.get(ucc)
        if known is not None:
            for name, value in raw.items():
                setattr(known, name, value)
            return known
        missing = sorted({"ucc", "mobile", "consumer_key", "totp_secret", "mpin"} - raw.keys())
        if missing or not ucc:
            raise ValueError(f"account {ucc!r} lacks the fields {missing or ['ucc']}")
        self.by_ucc[ucc] = Account(**raw)  # type: ignore[arg-type]  # names are checked above
        return self.by_ucc[ucc]

    def knows_key(self, consumer_key: str) -> bool:
        """Return whether a consumer key belongs to any account."""
        return any(account.consumer_key == consumer_key for account in self.by_ucc.values())

    def use_totp(self, account: Account, code: str) -> bool:
        """Return whether the code is right at virtual time, one step of grace each way, and unused."""
        step = int(self._clock.now().timestamp()) // TOTP_STEP_S
        totp = pyotp.TOTP(account.totp_secret)
        for candidate in (step - 1, step, step + 1):
            if totp.at(candidate * TOTP_STEP_S) == code and candidate not in account.used_steps:
                account.used_steps.add(candidate)
                return True
        return False

    def open_session(self, account: Account, kind: str, source: str) -> Session:
        """Issue a token that ends at midnight IST."""
        self._issued += 1
        now = self._clock.now()
        midnight = (now.astimezone(IST) + timedelta(days=1)).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        sid = f"{int(fraction(self._seed, 'sid', self._issued) * 16**16):016x}"
        rid = f"{int(fraction(self._seed, 'rid', self._issued) * 16**16):016x}"
        claims = {
            "sub": account.ucc,
            "scope": [kind],
            "iat": int(now.timestamp()),
            "exp": int(midnight.timestamp()),
            "jti": f"{self._issued}",
        }
        session = Session(
            kind=kind,
            ucc=account.ucc,
            token=jwt.encode(claims, _SIGNING_KEY, algorithm="HS256"),
            sid=sid,
            rid=rid,
            source=source,
            expires_at=midnight,
        )
        self.sessions[session.token] = session
        return session

    def find_session(self, token: str, sid: str) -> Session | None:
        """Return the live session of a token, None when token, sid or time do not fit."""
        session = self.sessions.get(token)
        if session is None or session.sid != sid or self._clock.now() >= session.expires_at:
            return None
        return session

    def find_feed_session(self, credential: str) -> Session | None:
        """Return the trade session that a market feed names by sid or token."""
        for session in self.sessions.values():
            if session.kind == "Trade" and credential in {session.sid, session.token}:
                return session if self._clock.now() < session.expires_at else None
        return None

    def kill_sessions(self, uccs: Iterable[str]) -> int:
        """End the sessions of some accounts; return how many ended."""
        chosen = set(uccs)
        dead = [token for token, item in self.sessions.items() if item.ucc in chosen]
        for token in dead:
            del self.sessions[token]
        return len(dead)
