"""Log in to Kotak Neo, and carry the session as data to other processes."""

import base64
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx
import jwt

from app.domain.accounts import BrokerCode, LoginReason
from app.domain.errors import LoginRefusedError, ProtocolError, SessionExpiredError, UnavailableError
from app.domain.ports import BrokerSession, Clock, Credentials
from brokers.kotak_neo.client import NeoClient, Reply
from brokers.kotak_neo.egress import Lane, is_egress_fault
from brokers.kotak_neo.errors import ADDRESS_CODES, NEVER_LEFT, code_of, reason_text
from brokers.kotak_neo.mapping import IST

CREDENTIAL_FIELDS = ("mobile_number", "ucc", "consumer_key", "totp_secret", "mpin")
_TOTP_STEP_S = 30
_LEAST_TIMEOUT_S = 0.05
_REFUSING_WORDS = (
    "invalid",
    "incorrect",
    "wrong",
    "missing",
    "mismatch",
    "blocked",
    "locked",
    "not registered",
)
# A request or view session that went wrong says nothing about the person's credentials.
_OUR_SLIPS = frozenset({1007, 5202, 100021, 100022})
_FAILED_CODE = 10020
_REMEDIES = {
    LoginReason.IP_DENIED: "; register this source address with the broker, or correct the consumer key",
    LoginReason.BAD_TOTP: "; check the TOTP secret and the clock of this machine",
    LoginReason.BAD_CREDENTIALS: "; correct the account's credentials",
}


def totp_window(now: datetime) -> int:
    """Return the number of the 30 s window whose TOTP code is in force; a code works once.

    Source: brokers.md 1.3.
    """
    return int(now.timestamp()) // _TOTP_STEP_S


def open_session(
    client: NeoClient, credentials: Credentials, *, clock: Clock, timeout_s: float
) -> BrokerSession:
    """Log in with TOTP and MPIN and return the session; the code of this window is used up by it.

    Raises:
        LoginRefusedError: a person must mend something; `reason` is a LoginReason.
        UnavailableError: the message starts with a LoginReason, such as "egress_down: ...".
    """
    fields = checked_fields(credentials)
    code = totp_code(fields["totp_secret"], clock.now())
    deadline = clock.monotonic() + timeout_s
    steps = (
        (
            "totp_login",
            {"mobile_number": fields["mobile_number"], "ucc": fields["ucc"], "totp": code},
        ),
        ("totp_validate", {"mpin": fields["mpin"]}),
    )
    secrets = (*fields.values(), code)
    for method, arguments in steps:
        left_s = max(deadline - clock.monotonic(), _LEAST_TIMEOUT_S)
        reply = client.call(method, lane=Lane.READS, timeout_s=left_s, **arguments)
        _raise_unless_in(reply, method=method, egress=client.transport.egress, secrets=secrets)
    return _session(client, fields["consumer_key"], clock.now())


def restore_session(session: BrokerSession, *, clock: Clock) -> tuple[str, dict[str, str | None]]:
    """Return the consumer key and the SDK fields of a session record.

    Raises:
        SessionExpiredError: its time is over.
        ProtocolError: the record is of another broker.
    """
    if session.broker is not BrokerCode.KOTAK_NEO:
        raise ProtocolError(f"expected a session of {BrokerCode.KOTAK_NEO}, got {session.broker}")
    if clock.now() >= session.expires_at:
        raise SessionExpiredError(f"the broker session ended at {session.expires_at:%Y-%m-%d %H:%M}Z")
    record = json.loads(session.secret)
    return record["consumer_key"], record["sdk"]


def checked_fields(credentials: Credentials) -> Mapping[str, str]:
    """Return the credential fields, or raise LoginRefusedError that names the missing ones."""
    missing = [name for name in CREDENTIAL_FIELDS if not credentials.fields.get(name, "").strip()]
    if missing:
        raise LoginRefusedError(f"the account has no {', '.join(missing)}", reason=LoginReason.NO_CREDENTIALS)
    return credentials.fields


def totp_code(secret: str, now: datetime) -> str:
    """Return the six-digit code of the window; pyotp is not used, it refuses the common 80-bit secrets.

    Source: RFC 6238 with SHA-1 and 30 s, RFC 4226 section 5.3 for the truncation.

    Raises:
        LoginRefusedError: the secret is not base32.
    """
    text = secret.replace(" ", "").upper().rstrip("=")
    try:
        key = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError as e:
        raise LoginRefusedError(
            "the TOTP secret is not base32, copy it again", reason=LoginReason.BAD_TOTP
        ) from e
    digest = hmac.digest(key, totp_window(now).to_bytes(8, "big"), "sha1")
    start = digest[-1] & 0xF
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def _raise_unless_in(reply: Reply, *, method: str, egress: str, secrets: tuple[str, ...]) -> None:
    value, status = reply.value, reply.wire.status
    # The SDK asks its config service inside the second step and ignores faults there: believe the body.
    if (
        isinstance(value, Mapping)
        and isinstance(value.get("data"), Mapping)
        and code_of(value) in (None, 200)
    ):
        return
    if status is None:
        raise _no_answer(reply, egress)
    text = _without(secrets, reason_text(reply))
    if not isinstance(value, Mapping) or "Error" in value:
        raise UnavailableError(f"{LoginReason.PROTOCOL}: {method} got an unreadable reply, HTTP {status}")
    reason = _refusal_reason(code_of(value), text)
    if status == 429 or status >= 500 or reason is LoginReason.BROKER_DOWN:
        raise UnavailableError(f"{LoginReason.BROKER_DOWN}: {method} got HTTP {status}: {text}")
    raise LoginRefusedError(f"{method} was refused: {text}{_REMEDIES[reason]}", reason=reason)


def _no_answer(reply: Reply, egress: str) -> UnavailableError:
    fault = reply.fault
    name = type(fault).__name__
    if is_egress_fault(fault):
        return UnavailableError(
            f"{LoginReason.EGRESS_DOWN}: no way out of this machine from {egress or 'any address'} ({name})"
        )
    if name.endswith("Timeout"):
        return UnavailableError(f"{LoginReason.TIMEOUT}: no answer in time ({name})")
    if isinstance(fault, NEVER_LEFT):
        return UnavailableError(f"{LoginReason.BROKER_DOWN}: cannot connect ({name})")
    return UnavailableError(f"{LoginReason.BROKER_DOWN}: the connection broke ({name})")


def _refusal_reason(code: int | None, text: str) -> LoginReason:
    """Return what a person must mend; BROKER_DOWN when nothing says that somebody must (brokers.md 1.3)."""
    if code in ADDRESS_CODES:
        return LoginReason.IP_DENIED
    if code in _OUR_SLIPS:
        return LoginReason.BROKER_DOWN
    if code == _FAILED_CODE:
        return LoginReason.BAD_CREDENTIALS
    words = text.lower()
    if not any(word in words for word in _REFUSING_WORDS):
        return LoginReason.BROKER_DOWN
    return LoginReason.BAD_TOTP if "totp" in words else LoginReason.BAD_CREDENTIALS


def _without(secrets: tuple[str, ...], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _session(client: NeoClient, consumer_key: str, now: datetime) -> BrokerSession:
    fields = client.session_fields()
    for name in ("edit_token", "edit_sid", "base_url"):
        if not fields[name]:
            raise UnavailableError(f"{LoginReason.PROTOCOL}: the login reply has no {name}")
    client.transport.endpoint.route(httpx.URL(str(fields["base_url"])))
    return BrokerSession(
        broker=BrokerCode.KOTAK_NEO,
        expires_at=min(_token_end(str(fields["edit_token"])), _next_midnight(now)),
        egress=client.transport.egress,
        secret=json.dumps({"consumer_key": consumer_key, "sdk": fields}),
    )


def _token_end(token: str) -> datetime:
    try:
        # The signature is Kotak's own business; we only want to know when it ends.
        claims = jwt.decode(token, options={"verify_signature": False})
        return datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (jwt.PyJWTError, KeyError, ValueError, TypeError, OverflowError) as e:
        raise UnavailableError(
            f"{LoginReason.PROTOCOL}: expected a token with an end, got none ({type(e).__name__})"
        ) from e


def _next_midnight(now: datetime) -> datetime:
    tomorrow = now.astimezone(IST).date() + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=IST).astimezone(UTC)
