"""Log in to the paper exchange, and carry the session as data to other processes."""

import json
import re
from collections.abc import Mapping

from app.domain.accounts import BrokerCode, LoginReason
from app.domain.errors import LoginRefusedError, ProtocolError, SessionExpiredError, UnavailableError
from app.domain.ports import BrokerSession, Clock, Credentials
from brokers.paper import mapping
from brokers.paper.client import Lane, PaperClient, Reply, is_egress_fault
from brokers.paper.errors import error_code

# A person types none of these: the installation fills them in for its own accounts.
LOGIN_FIELDS = ("account", "currency", "token")
_CURRENCY = re.compile(r"[A-Z]{3,8}", re.ASCII)
_REFUSALS = {
    (401, "unauthorized"): LoginReason.BAD_CREDENTIALS,
    (422, "invalid"): LoginReason.BAD_CREDENTIALS,
}


def checked_fields(credentials: Credentials) -> Mapping[str, str]:
    """Return what a login needs: account name, its currency, and the exchange's token.

    Raises:
        LoginRefusedError: one is missing.
    """
    missing = [name for name in LOGIN_FIELDS if not credentials.fields.get(name, "").strip()]
    if missing:
        raise LoginRefusedError(
            f"the paper login lacks {', '.join(missing)}, which the installation gives",
            reason=LoginReason.NO_CREDENTIALS,
        )
    if _CURRENCY.fullmatch(credentials.fields["currency"]) is None:
        raise LoginRefusedError("currency: expected one like INR", reason=LoginReason.BAD_CREDENTIALS)
    return credentials.fields


def open_session(client: PaperClient, fields: Mapping[str, str], *, timeout_s: float) -> BrokerSession:
    """Log in and return the session; a new account gets the exchange's opening balance.

    Raises:
        LoginRefusedError: a person must mend something; `reason` is a LoginReason.
        UnavailableError: the message starts with a LoginReason, such as "broker_down: ...".
    """
    form = {"account": fields["account"], "currency": fields["currency"]}
    reply = client.call("POST", "/sessions", lane=Lane.READS, timeout_s=timeout_s, form=form)
    _raise_unless_in(reply)
    try:
        body = reply.body or {}
        secret = {"account": mapping.text(body, "account"), "token": mapping.text(body, "token")}
        expires_at = mapping.instant(body, "expires_at")
    except ProtocolError as e:
        raise UnavailableError(f"{LoginReason.PROTOCOL}: {e}") from e
    if secret["account"] != fields["account"]:
        raise UnavailableError(
            f"{LoginReason.PROTOCOL}: expected account {fields['account']}, got {secret['account']}"
        )
    return BrokerSession(
        broker=BrokerCode.PAPER, expires_at=expires_at, egress=client.egress, secret=json.dumps(secret)
    )


def restore_token(session: BrokerSession, *, clock: Clock) -> str:
    """Return the token of a session record.

    Raises:
        SessionExpiredError: its time is over.
        ProtocolError: the record is of another broker (I15), or unreadable.
    """
    if session.broker is not BrokerCode.PAPER:
        raise ProtocolError(f"expected a session of {BrokerCode.PAPER}, got {session.broker}")
    if clock.now() >= session.expires_at:
        raise SessionExpiredError(f"the broker session ended at {session.expires_at:%Y-%m-%d %H:%M}Z")
    try:
        record = json.loads(session.secret)
    except ValueError as e:
        raise ProtocolError("expected the record of a paper session, got another text") from e
    if not isinstance(record, dict):
        raise ProtocolError("expected the record of a paper session, got another text")
    return mapping.text(record, "token")


def _raise_unless_in(reply: Reply) -> None:
    if reply.status == 201 and reply.body is not None:
        return
    if reply.status is None:
        raise _silence(reply)
    reason = _REFUSALS.get((reply.status, error_code(reply)))
    if reason is None:
        raise UnavailableError(f"{LoginReason.PROTOCOL}: expected a session, got HTTP {reply.status}")
    words = mapping.part(reply.body or {}, "error").get("message")
    raise LoginRefusedError(f"the paper exchange refuses the login: {words}"[:200], reason=reason)


def _silence(reply: Reply) -> UnavailableError:
    name = type(reply.fault).__name__
    if is_egress_fault(reply.fault):
        return UnavailableError(
            f"{LoginReason.EGRESS_DOWN}: this machine cannot call from the address ({name})"
        )
    if name in ("ReadTimeout", "WriteTimeout", "PoolTimeout"):
        return UnavailableError(f"{LoginReason.TIMEOUT}: no answer in time ({name})")
    return UnavailableError(f"{LoginReason.BROKER_DOWN}: no paper exchange answers ({name})")
