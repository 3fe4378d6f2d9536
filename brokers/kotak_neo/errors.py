"""Classify every reply of Kotak by proof: what surely was not accepted, what surely was, and the rest."""

from collections.abc import Mapping, Sequence

import httpx

from app.domain.errors import (
    AddressDeniedError,
    BrokerError,
    EgressDownError,
    ProtocolError,
    RateLimitedError,
    SessionExpiredError,
    UnavailableError,
)
from app.domain.ids import BrokerOrderId
from app.domain.reports import FaultClass, Outcome, WriteResult
from brokers.kotak_neo.client import Reply
from brokers.kotak_neo.egress import is_egress_fault

# The request cannot have reached the broker: no connection, or none free in the pool.
NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)

EMPTY_CODE = 5203
_ADDRESS_OK_CODE = 1000
AUTH_CODES = frozenset({100021, 100022, 10020})
ADDRESS_CODES = frozenset({100008, 1037})
_DUPLICATE_CODES = frozenset({5204, 32})
# The order has ended, or does not exist; no answer to a new order, which it leaves unknown.
_ENDED_CODE = 1021
_REFUSED = {
    1007: FaultClass.INVALID,
    1009: FaultClass.INVALID,
    1017: FaultClass.INVALID,
    5202: FaultClass.INVALID,
    _ENDED_CODE: FaultClass.ALREADY_DONE,
}
_RETRY_AFTER_S = 1.0
_MAX_TEXT = 200


def classify_write(reply: Reply, *, asked: BrokerOrderId | None = None) -> WriteResult:
    """Return how a place (`asked` None), modify or cancel (`asked` given) ended.

    Whatever is not proven is UNKNOWN: read and write faults, unreadable replies, server errors,
    redirects and codes that the table does not know.
    Source: brokers.md 1.4 (codes) and 1.13 (what the SDK returns).
    """
    if reply.wire.attempts == 0:
        return _never_left(reply)
    if reply.wire.attempts > 1:
        return _unknown(f"expected one request, {reply.wire.attempts} were sent")
    if reply.wire.status is None:
        return _by_fault(reply.fault)
    return _by_status(reply, asked)


def _never_left(reply: Reply) -> WriteResult:
    is_logged_out = isinstance(reply.value, Mapping) and "Error Message" in reply.value
    return WriteResult(
        outcome=Outcome.NOT_SENT,
        fault=FaultClass.AUTH_EXPIRED if is_logged_out else FaultClass.INVALID,
        message=reason_text(reply),
    )


def _by_fault(fault: BaseException | None) -> WriteResult:
    if isinstance(fault, NEVER_LEFT):
        why = FaultClass.EGRESS_DOWN if is_egress_fault(fault) else FaultClass.BROKER_DOWN
        return WriteResult(outcome=Outcome.NOT_SENT, fault=why, message=f"no connection: {_name(fault)}")
    return _unknown(f"no reply: {_name(fault)}", fault=FaultClass.BROKER_DOWN)


def _by_status(reply: Reply, asked: BrokerOrderId | None) -> WriteResult:
    status, code = reply.wire.status or 0, code_of(reply.value)
    text = f"HTTP {status}: {reason_text(reply)}"
    refusal = _refusal(reply, status, code)
    if refusal is not None:
        return WriteResult(
            outcome=Outcome.NOT_SENT,
            fault=refusal,
            code=str(code or status),
            message=text,
            retry_after_s=(reply.wire.retry_after_s or _RETRY_AFTER_S)
            if refusal is FaultClass.THROTTLED
            else None,
        )
    if status >= 500:
        return _unknown(text, fault=FaultClass.BROKER_DOWN, code=str(code or status))
    # A refused redirect (3xx) proves nothing: the first server may have acted.
    if not isinstance(reply.value, Mapping) or 300 <= status < 400:
        return _unknown(text, code=str(status))
    if code in _DUPLICATE_CODES:
        return _unknown(text, fault=FaultClass.DUPLICATE, code=str(code))
    return _by_code(reply, reply.value, asked=asked, text=text)


def _refusal(reply: Reply, status: int, code: int | None) -> FaultClass | None:
    """Return why the broker's gate turned the request away before looking at it, or None."""
    if code in ADDRESS_CODES:
        return FaultClass.IP_DENIED
    if code in AUTH_CODES or status in (401, 403):
        return FaultClass.AUTH_EXPIRED
    if status == 429 or (code == 429 and isinstance(reply.value, Mapping)):
        return FaultClass.THROTTLED
    return None


def _by_code(
    reply: Reply, body: Mapping[str, object], *, asked: BrokerOrderId | None, text: str
) -> WriteResult:
    code = code_of(body)
    if code in _REFUSED and (asked is not None or code != _ENDED_CODE):
        fault = FaultClass.NOT_FOUND if "valid order number" in text else _REFUSED[code]
        return WriteResult(outcome=Outcome.REJECTED, fault=fault, code=str(code), message=text)
    if code == EMPTY_CODE and asked is not None:
        return WriteResult(outcome=Outcome.REJECTED, fault=FaultClass.NOT_FOUND, code=str(code), message=text)
    number = body.get("nOrdNo")
    order_id = str(number) if isinstance(number, str | int) and str(number).isdecimal() else asked
    is_received = reply.wire.status in range(200, 300) and is_ok(body)
    if not is_received or order_id is None or (asked is not None and order_id != asked):
        return _unknown(text, code=str(code or ""))
    return WriteResult(outcome=Outcome.ACCEPTED, broker_order_id=BrokerOrderId(order_id))


def read_body(reply: Reply) -> Mapping[str, object]:
    """Return the JSON object of a read that succeeded or is empty (5203).

    Raises:
        UnavailableError: no connection, no reply, or a server error.
        RateLimitedError: throttled.
        SessionExpiredError: the session is over.
        AddressDeniedError: it came from another source address, or from one that is not registered.
        ProtocolError: the reply cannot be read.
    """
    fault = _read_fault(reply)
    if fault is not None:
        raise fault
    body = reply.value
    if isinstance(body, Mapping) and (is_ok(body) or code_of(body) in (EMPTY_CODE, _ADDRESS_OK_CODE)):
        return body
    raise ProtocolError(
        f"expected a JSON object with stat Ok or code {EMPTY_CODE}, "
        f"got HTTP {reply.wire.status}: {reason_text(reply)}"
    )


def read_rows(reply: Reply) -> Sequence[Mapping[str, object]] | None:
    """Return the rows of a list read, None for "No Data"; raises as `read_body` does."""
    body = read_body(reply)
    if code_of(body) == EMPTY_CODE:
        return None
    rows = body.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProtocolError(f"data: expected a list of objects, got {type(rows).__name__}")
    return rows


def read_bare_rows(reply: Reply) -> Sequence[Mapping[str, object]]:
    """Return the rows of a read that answers with a list and nothing around it (quotes); as `read_body`."""
    if not isinstance(reply.value, list):
        read_body(reply)
    fault = _read_fault(reply)
    if fault is not None:
        raise fault
    rows = reply.value
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProtocolError(f"expected a list of objects, got HTTP {reply.wire.status}: {reason_text(reply)}")
    return rows


def read_nested_rows(reply: Reply) -> Sequence[Mapping[str, object]] | None:
    """Return the rows of a read that the SDK wraps once more under `data` (history); as `read_rows`."""
    value = reply.value
    if isinstance(value, Mapping) and isinstance(value.get("data"), Mapping):
        return read_rows(Reply(value=value["data"], wire=reply.wire))
    return read_rows(reply)


def _read_fault(reply: Reply) -> BrokerError | None:
    status, code = reply.wire.status, code_of(reply.value)
    if status is None:
        return _no_answer(reply)
    if status == 429 or code == 429:
        return RateLimitedError(
            f"the broker throttles: {reason_text(reply)}",
            retry_after_s=reply.wire.retry_after_s or _RETRY_AFTER_S,
        )
    if code in AUTH_CODES | ADDRESS_CODES or status in (401, 403):
        kind = AddressDeniedError if code in ADDRESS_CODES else SessionExpiredError
        return kind(f"HTTP {status}, code {code}: {reason_text(reply)}")
    if status >= 500:
        return UnavailableError(f"HTTP {status}: {reason_text(reply)}")
    return None


def _no_answer(reply: Reply) -> BrokerError:
    if reply.wire.attempts == 0 and _never_left(reply).fault is FaultClass.AUTH_EXPIRED:
        return SessionExpiredError("the SDK holds no session")
    if is_egress_fault(reply.fault):
        return EgressDownError(f"egress_down: no way out: {_name(reply.fault)}")
    return UnavailableError(f"the broker did not answer: {_name(reply.fault)}")


def is_ok(body: Mapping[str, object]) -> bool:
    """Whether the broker says "Ok"; it means received, not executed."""
    stat = body.get("stat")
    return isinstance(stat, str) and stat.lower() == "ok" and code_of(body) in (None, 200)


def code_of(value: object) -> int | None:
    """Return the broker's code from any of the shapes it comes in, or None."""
    if not isinstance(value, Mapping):
        return None
    candidates: list[object] = [value.get("stCode"), value.get("code")]
    errors = value.get("error")
    if isinstance(errors, list) and errors and isinstance(errors[0], Mapping):
        candidates.append(errors[0].get("code"))
    for candidate in candidates:
        if isinstance(candidate, int | str) and not isinstance(candidate, bool):
            text = str(candidate).strip()
            if text.isdecimal() and len(text) <= 9:
                return int(text)
    return None


def reason_text(reply: Reply) -> str:
    """Return the broker's (or the SDK's) words, shortened; never a whole payload."""
    value = reply.value
    if isinstance(value, Mapping):
        value = _words(value)
    if isinstance(value, BaseException):
        value = f"{type(value).__name__}: {value}"
    text = " ".join(str(value).split())
    return text[:_MAX_TEXT]


def _words(body: Mapping[str, object]) -> object:
    for key in ("errMsg", "emsg", "message", "desc", "Error Message", "Error", "error"):
        found = body.get(key)
        if isinstance(found, list) and found and isinstance(found[0], Mapping):
            found = found[0].get("message")
        if found:
            return found
    return "no reason given"


def _unknown(message: str, *, fault: FaultClass = FaultClass.UNKNOWN, code: str = "") -> WriteResult:
    return WriteResult(outcome=Outcome.UNKNOWN, fault=fault, code=code, message=message)


def _name(fault: BaseException | None) -> str:
    return "unreadable" if fault is None else f"{type(fault).__name__} {fault}".strip()[:_MAX_TEXT]
