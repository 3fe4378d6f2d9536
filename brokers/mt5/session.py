"""Log in to an MT5 account through its agent, and carry the session as data to other processes."""

import errno
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta

import httpx

from app.domain.accounts import BrokerCode, LoginReason
from app.domain.errors import LoginRefusedError, ProtocolError, SessionExpiredError, UnavailableError
from app.domain.ports import BrokerSession, Clock, Credentials
from brokers.mt5.addresses import is_loopback
from brokers.mt5.errors import refusal_of
from brokers.mt5.protocol import Refusal, Result
from brokers.mt5.rpc import NEVER_LEFT, AgentClient, Reply
from brokers.mt5.values import row, whole

CREDENTIAL_FIELDS = ("login", "password", "server", "agent_url", "agent_token")
# A terminal's login does not end by itself; once a forex week we prove the password again.
_LASTS = timedelta(days=7)
_DEAD_ADDRESS = frozenset(
    {errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL, errno.EACCES}
)
_MARGIN_MODES = frozenset({0, 1, 2})
_REFUSED = {
    Refusal.LOGIN_FAILED: (LoginReason.BAD_CREDENTIALS, "correct the account's login, password or server"),
    Refusal.WRONG_ACCOUNT: (LoginReason.BAD_CREDENTIALS, "every account needs an agent of its own"),
    Refusal.NOT_LOGGED_IN: (LoginReason.BAD_CREDENTIALS, "correct the account's login, password or server"),
    Refusal.BAD_TOKEN: (LoginReason.BAD_CREDENTIALS, "copy agent_token from the agent's settings"),
    Refusal.BAD_REQUEST: (LoginReason.BAD_CREDENTIALS, "correct the account's credentials"),
    Refusal.LIVE_FORBIDDEN: (
        LoginReason.BAD_CREDENTIALS,
        "its terminal is real: allow live trading",
    ),
    Refusal.PEER_DENIED: (LoginReason.IP_DENIED, "add this machine to allowed_peers of the agent"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """Hold what another process needs to go on. `margin_mode`: 0 netting, 1 exchange, 2 hedging."""

    agent_url: str
    agent_token: str
    login: int
    server: str
    margin_mode: int


def checked_fields(credentials: Credentials) -> Mapping[str, str]:
    """Return the credential fields.

    Raises:
        LoginRefusedError: one is missing, the login is no number, or the agent's address would show the
            password to others on the way.
    """
    missing = [name for name in CREDENTIAL_FIELDS if not credentials.fields.get(name, "").strip()]
    if missing:
        raise LoginRefusedError(f"the account has no {', '.join(missing)}", reason=LoginReason.NO_CREDENTIALS)
    login = credentials.fields["login"]
    if not (login.isascii() and login.isdecimal() and len(login) <= 12):
        raise LoginRefusedError("login: expected digits", reason=LoginReason.BAD_CREDENTIALS)
    check_agent_url(credentials.fields["agent_url"])
    return credentials.fields


def check_agent_url(url: str) -> None:
    """Refuse an address that is no agent's, or plain HTTP to another machine; raises LoginRefusedError."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as e:
        raise LoginRefusedError("agent_url: expected an address", reason=LoginReason.BAD_CREDENTIALS) from e
    is_plain = parsed.scheme == "http" and is_loopback(parsed.host)
    if not parsed.host or not (is_plain or parsed.scheme == "https"):
        raise LoginRefusedError(
            "agent_url: expected https://host:port, or http:// of this machine itself",
            reason=LoginReason.BAD_CREDENTIALS,
        )


def open_session(
    client: AgentClient, fields: Mapping[str, str], *, clock: Clock, timeout_s: float, is_live_allowed: bool
) -> BrokerSession:
    """Log the agent's terminal in and return the session.

    Raises:
        LoginRefusedError: a person must mend something; `reason` is a LoginReason.
        UnavailableError: the message starts with a LoginReason, such as "egress_down: ...".
    """
    asked = {
        "login": int(fields["login"]),
        "password": fields["password"],
        "server": fields["server"],
        "is_live_allowed": is_live_allowed,
    }
    reply = client.call("login", asked, timeout_s=timeout_s)
    body = reply.body
    if body is None or body.get("result") != Result.DONE:
        raise _login_fault(reply, client.egress, hide=lambda text: _without(fields, text))
    try:
        margin_mode = whole(row(body.get("account"), "account"), "margin_mode")
    except ProtocolError as e:
        raise UnavailableError(f"{LoginReason.PROTOCOL}: {e}") from e
    if margin_mode not in _MARGIN_MODES:
        raise UnavailableError(f"{LoginReason.PROTOCOL}: expected margin_mode 0 to 2, got {margin_mode}")
    record = SessionRecord(
        agent_url=fields["agent_url"],
        agent_token=fields["agent_token"],
        login=int(fields["login"]),
        server=fields["server"],
        margin_mode=margin_mode,
    )
    return BrokerSession(
        broker=BrokerCode.MT5,
        expires_at=clock.now() + _LASTS,
        egress=client.egress,
        secret=json.dumps(asdict(record)),
    )


def restore_session(session: BrokerSession, *, clock: Clock) -> SessionRecord:
    """Return the record of a session.

    Raises:
        SessionExpiredError: its time is over.
        ProtocolError: the record is of another broker or release.
    """
    if session.broker is not BrokerCode.MT5:
        raise ProtocolError(f"expected a session of {BrokerCode.MT5}, got {session.broker}")
    if clock.now() >= session.expires_at:
        raise SessionExpiredError(f"the broker session ended at {session.expires_at:%Y-%m-%d %H:%M}Z")
    try:
        return SessionRecord(**json.loads(session.secret))
    except (ValueError, TypeError) as e:
        raise ProtocolError(f"expected a session record of MT5 ({type(e).__name__})") from e


def is_egress_fault(fault: BaseException | None) -> bool:
    """Whether a call failed because the source address is not ours or leads nowhere."""
    while fault is not None:
        if isinstance(fault, OSError) and fault.errno in _DEAD_ADDRESS:
            return True
        fault = fault.__cause__ or fault.__context__
    return False


def _login_fault(
    reply: Reply, egress: str, *, hide: Callable[[str], str]
) -> LoginRefusedError | UnavailableError:
    text = hide(reply.text)
    if reply.fault is not None:
        if is_egress_fault(reply.fault):
            return UnavailableError(
                f"{LoginReason.EGRESS_DOWN}: no way out of this machine from {egress or 'any address'}"
            )
        is_late = isinstance(reply.fault, httpx.TimeoutException) and not isinstance(reply.fault, NEVER_LEFT)
        return UnavailableError(f"{LoginReason.TIMEOUT if is_late else LoginReason.BROKER_DOWN}: {text}")
    if reply.body is None:
        return UnavailableError(f"{LoginReason.PROTOCOL}: {text}")
    refusal = refusal_of(reply.body)
    if refusal in _REFUSED:
        reason, remedy = _REFUSED[refusal]
        return LoginRefusedError(f"the agent refused: {text}; {remedy}", reason=reason)
    reason = LoginReason.TIMEOUT if refusal is Refusal.BUSY else LoginReason.BROKER_DOWN
    return UnavailableError(f"{reason}: {text}")


def _without(fields: Mapping[str, str], text: str) -> str:
    for name in ("password", "agent_token"):
        text = text.replace(fields[name], "***")
    return text
