"""Log in to Binance, which means: check the key once; and carry the session as data to other processes."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from app.domain.accounts import BrokerCode, LoginReason
from app.domain.errors import LoginRefusedError, ProtocolError, SessionExpiredError, UnavailableError
from app.domain.ports import BrokerSession, Clock, Credentials
from brokers.binance import codes
from brokers.binance.client import BinanceClient, Cost, Reply
from brokers.binance.egress import Lane, is_egress_fault
from brokers.binance.errors import never_left, reason_text

CREDENTIAL_FIELDS = ("api_key", "api_secret")
SYMBOLS_FIELD = "symbols"
DEFAULT_SYMBOLS = ("BTCUSDT",)
"""What an account may trade that names no symbols of its own."""

# Every symbol costs weight in each reconciliation (brokers.md 2.6): ten are what one address can afford.
_MOST_SYMBOLS = 10
_SYMBOL = re.compile(r"[A-Z0-9_]{2,30}", re.ASCII)
# A key does not end by itself; a login a day must find no hole.
_LIFETIME = timedelta(hours=26)
_LEAST_TIMEOUT_S = 0.05
_MODE_WEIGHT = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Hold what a client needs: the key pair and what the account trades."""

    api_key: str
    api_secret: str
    symbols: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Keys({', '.join(self.symbols)}: hidden)"


def checked_keys(credentials: Credentials) -> Keys:
    """Return the key pair, or raise LoginRefusedError that names what is missing or wrong."""
    fields = credentials.fields
    missing = [name for name in CREDENTIAL_FIELDS if not fields.get(name, "").strip()]
    if missing:
        raise LoginRefusedError(f"the account has no {', '.join(missing)}", reason=LoginReason.NO_CREDENTIALS)
    named = tuple(
        dict.fromkeys(part.strip() for part in fields.get(SYMBOLS_FIELD, "").split(",") if part.strip())
    )
    if len(named) > _MOST_SYMBOLS or not all(_SYMBOL.fullmatch(name) for name in named):
        raise LoginRefusedError(
            f"symbols: expected up to {_MOST_SYMBOLS} like BTCUSDT with commas between, got {len(named)}",
            reason=LoginReason.BAD_CREDENTIALS,
        )
    return Keys(
        api_key=fields["api_key"].strip(),
        api_secret=fields["api_secret"].strip(),
        symbols=named or DEFAULT_SYMBOLS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Name the calls that a login makes: the venue's time, and a signed read of the account."""

    code: BrokerCode
    time_method: str
    account_method: str
    account_weight: int
    mode_method: str = ""
    """How futures tell whether an account holds both sides of a symbol (hedge mode)."""


def open_session(
    client: BinanceClient, keys: Keys, check: Check, *, clock: Clock, timeout_s: float
) -> BrokerSession:
    """Check the key against the account and return the session.

    Raises:
        LoginRefusedError: a person must mend something; `reason` is a LoginReason.
        UnavailableError: the message starts with a LoginReason, such as "egress_down: ...".
    """
    deadline = clock.monotonic() + timeout_s
    _raise_unless_in(client.sync_clock(check.time_method, timeout_s=timeout_s), client)
    reply = client.call(
        check.account_method,
        lane=Lane.READS,
        timeout_s=max(deadline - clock.monotonic(), _LEAST_TIMEOUT_S),
        cost=Cost(weight=check.account_weight),
    )
    _raise_unless_in(reply, client)
    if isinstance(reply.value, Mapping) and reply.value.get("canTrade") is False:
        raise LoginRefusedError(
            "the account may not trade; allow trading for it and its key at Binance",
            reason=LoginReason.BAD_CREDENTIALS,
        )
    if check.mode_method:
        _refuse_hedge_mode(client, check, timeout_s=max(deadline - clock.monotonic(), _LEAST_TIMEOUT_S))
    record = {"api_key": keys.api_key, "api_secret": keys.api_secret, "symbols": list(keys.symbols)}
    return BrokerSession(
        broker=check.code,
        expires_at=clock.now() + _LIFETIME,
        egress=client.transport.egress,
        secret=json.dumps(record),
    )


def _refuse_hedge_mode(client: BinanceClient, check: Check, *, timeout_s: float) -> None:
    # In hedge mode every order needs a position side, and none of ours would be taken (-4061).
    reply = client.call(
        check.mode_method, lane=Lane.READS, timeout_s=timeout_s, cost=Cost(weight=_MODE_WEIGHT)
    )
    _raise_unless_in(reply, client)
    if not isinstance(reply.value, Mapping) or reply.value.get("dualSidePosition") is not False:
        raise LoginRefusedError(
            "the account is in hedge mode; switch it to one-way mode at Binance",
            reason=LoginReason.BAD_CREDENTIALS,
        )


def restore_session(session: BrokerSession, code: BrokerCode, *, clock: Clock) -> Keys:
    """Return the keys of a session record.

    Raises:
        SessionExpiredError: its time is over.
        ProtocolError: the record is of another broker.
    """
    if session.broker is not code:
        raise ProtocolError(f"expected a session of {code}, got {session.broker}")
    if clock.now() >= session.expires_at:
        raise SessionExpiredError(f"the broker session ended at {session.expires_at:%Y-%m-%d %H:%M}Z")
    record = json.loads(session.secret)
    return Keys(api_key=record["api_key"], api_secret=record["api_secret"], symbols=tuple(record["symbols"]))


def _raise_unless_in(reply: Reply, client: BinanceClient) -> None:
    status, code = reply.wire.status, reply.code
    if reply.wire.refused_for_s is not None:
        raise UnavailableError(
            f"{LoginReason.BROKER_DOWN}: held back by our own budget for {reply.wire.refused_for_s:.0f} s"
        )
    if status is None:
        raise _no_answer(reply, client.transport.egress)
    if status == 200 and isinstance(reply.value, Mapping | list):
        return
    text = f"HTTP {status}, code {code}: {reason_text(reply)}"
    if code in codes.ADDRESS_CODES:
        raise LoginRefusedError(
            f"{text}; register this source address for the key, or correct the key and its permissions",
            reason=LoginReason.IP_DENIED,
        )
    if code in codes.AUTH_CODES or status == 401:
        raise LoginRefusedError(f"{text}; correct the account's key", reason=LoginReason.BAD_CREDENTIALS)
    is_unreadable = status < 400 or (code in (None, 0) and status not in (403, 418, 429) and status < 500)
    reason = LoginReason.PROTOCOL if is_unreadable else LoginReason.BROKER_DOWN
    raise UnavailableError(f"{reason}: {text}")


def _no_answer(reply: Reply, egress: str) -> UnavailableError:
    fault = reply.wire.fault
    name = type(fault).__name__
    if is_egress_fault(fault):
        return UnavailableError(
            f"{LoginReason.EGRESS_DOWN}: no way out of this machine from {egress or 'any address'} ({name})"
        )
    if name.endswith("Timeout"):
        return UnavailableError(f"{LoginReason.TIMEOUT}: no answer in time ({name})")
    if never_left(fault):
        return UnavailableError(f"{LoginReason.BROKER_DOWN}: cannot connect ({name})")
    return UnavailableError(f"{LoginReason.BROKER_DOWN}: the connection broke ({name})")
