"""Classify every reply of Binance by proof: what surely was not accepted, what surely was, and the rest."""

from collections.abc import Mapping, Sequence

import requests
import urllib3

from app.domain.errors import (
    BrokerError,
    EgressDownError,
    ProtocolError,
    RateLimitedError,
    SessionExpiredError,
    UnavailableError,
)
from app.domain.ids import BrokerOrderId
from app.domain.reports import FaultClass, Outcome, WriteResult
from brokers.binance import codes
from brokers.binance.client import Reply
from brokers.binance.egress import chain, is_egress_fault

_NEVER_LEFT = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NameResolutionError,
    requests.ConnectTimeout,
    requests.exceptions.ProxyError,
)
_OVERLOAD_WAIT_S = 1.0
_MAX_TEXT = 200


def never_left(fault: BaseException | None) -> bool:
    """Whether a fault proves that not one byte of the request reached the broker."""
    return any(isinstance(link, _NEVER_LEFT) for link in chain(fault))


def classify_write(reply: Reply, *, expected: Mapping[str, object]) -> WriteResult:
    """Return how a place or cancel ended; an ACCEPTED one carries no order id yet.

    Whatever is not proven is UNKNOWN: read faults, unreadable replies, server errors, redirects and codes
    that no page describes. `expected` are the fields that prove that a reply is about our order.
    Source: brokers.md 2.7 and 2.8.
    """
    if reply.wire.attempts != 1:
        return _not_once(reply)
    if reply.wire.status is None:
        return _by_fault(reply.wire.fault)
    if reply.wire.status in range(200, 300):
        return _by_body(reply, expected)
    return _by_refusal(reply)


def _not_once(reply: Reply) -> WriteResult:
    if reply.wire.attempts > 1:
        return _unknown(f"expected one request, {reply.wire.attempts} were sent")
    if reply.wire.refused_for_s is not None:
        return WriteResult(
            outcome=Outcome.NOT_SENT,
            fault=FaultClass.THROTTLED,
            message="held back by our own budget",
            retry_after_s=reply.wire.refused_for_s,
        )
    return WriteResult(outcome=Outcome.NOT_SENT, fault=FaultClass.INVALID, message=reason_text(reply))


def _by_fault(fault: BaseException | None) -> WriteResult:
    is_ours = is_egress_fault(fault)
    if never_left(fault) or is_ours:
        why = FaultClass.EGRESS_DOWN if is_ours else FaultClass.BROKER_DOWN
        return WriteResult(outcome=Outcome.NOT_SENT, fault=why, message=f"no connection: {_name(fault)}")
    return _unknown(f"no reply: {_name(fault)}", fault=FaultClass.BROKER_DOWN)


def _by_body(reply: Reply, expected: Mapping[str, object]) -> WriteResult:
    body, text = reply.value, f"HTTP {reply.wire.status}: {reason_text(reply)}"
    if not isinstance(body, Mapping):
        return _unknown(text, code=str(reply.wire.status))
    differing = [name for name, value in expected.items() if str(body.get(name)) != str(value)]
    if differing:
        return _unknown(f"the reply is not about our order: {', '.join(differing)} differ")
    return WriteResult(outcome=Outcome.ACCEPTED)


def _by_refusal(reply: Reply) -> WriteResult:
    status, code = reply.wire.status or 0, reply.code
    text = f"HTTP {status}: {reason_text(reply)}"
    if status in (403, 418, 429) and code not in codes.AUTH_CODES | codes.ADDRESS_CODES:
        return _not_sent(FaultClass.THROTTLED, reply, text)
    # An overload is said with a server error on futures, and is the one that surely was not placed.
    if 300 <= status < 400 or (status >= 500 and code != codes.OVERLOADED_CODE) or status == 409:
        fault = FaultClass.BROKER_DOWN if status >= 500 else FaultClass.UNKNOWN
        return _unknown(text, fault=fault, code=str(code or status))
    found = codes.verdict(code, reply.text)
    if found is None:
        if status == 401:
            return _not_sent(FaultClass.AUTH_EXPIRED, reply, text)
        return _unknown(text, code=str(code or status))
    outcome, fault = found
    if outcome is Outcome.NOT_SENT:
        return _not_sent(_key_or_address(reply, fault), reply, text)
    return WriteResult(outcome=outcome, fault=fault, code=str(code), message=text)


def _key_or_address(reply: Reply, fault: FaultClass) -> FaultClass:
    """One code stands for key, address and permission: a key that worked from here has been ended since."""
    if reply.code == codes.KEY_ADDRESS_OR_PERMISSION_CODE and reply.had_worked:
        return FaultClass.AUTH_EXPIRED
    return fault


def _not_sent(fault: FaultClass, reply: Reply, text: str) -> WriteResult:
    return WriteResult(
        outcome=Outcome.NOT_SENT,
        fault=fault,
        code=str(reply.code or reply.wire.status),
        message=text,
        retry_after_s=(reply.wire.retry_after_s or _OVERLOAD_WAIT_S)
        if fault is FaultClass.THROTTLED
        else None,
    )


def read_object(reply: Reply) -> Mapping[str, object] | None:
    """Return the JSON object of a read, None when Binance says that there is no such order.

    Raises:
        UnavailableError: no connection, no reply, a server error, or clocks that differ.
        RateLimitedError: throttled by Binance or by our own budget.
        SessionExpiredError: the key, its address or its permission is refused.
        ProtocolError: the reply cannot be read.
    """
    if reply.code == codes.NOT_THERE_CODE and reply.wire.status == 400:
        return None
    _raise_fault(reply)
    if not isinstance(reply.value, Mapping):
        raise ProtocolError(f"expected a JSON object, got {type(reply.value).__name__}")
    return reply.value


def read_rows(reply: Reply) -> Sequence[Mapping[str, object]]:
    """Return the rows of a list read; raises as `read_object` does."""
    _raise_fault(reply)
    rows = reply.value
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProtocolError(f"expected a list of objects, got {type(rows).__name__}")
    return rows


def _raise_fault(reply: Reply) -> None:
    fault = read_fault(reply)
    if fault is not None:
        raise fault


def read_fault(reply: Reply) -> BrokerError | None:
    """Return the error that a read ended in, or None for one that was answered."""
    status, code = reply.wire.status, reply.code
    if reply.wire.refused_for_s is not None:
        return RateLimitedError("held back by our own budget", retry_after_s=reply.wire.refused_for_s)
    if status is None:
        if is_egress_fault(reply.wire.fault):
            return EgressDownError(f"egress_down: no way out: {_name(reply.wire.fault)}")
        return UnavailableError(f"the broker did not answer: {_name(reply.wire.fault)}")
    return _refused_read(reply, status, code)


def _refused_read(reply: Reply, status: int, code: int | None) -> BrokerError | None:
    text = f"HTTP {status}, code {code}: {reason_text(reply)}"
    if code in codes.AUTH_CODES | codes.ADDRESS_CODES or status == 401:
        return SessionExpiredError(text)
    if status in (403, 418, 429) or code in codes.THROTTLED_CODES:
        return RateLimitedError(text, retry_after_s=reply.wire.retry_after_s or _OVERLOAD_WAIT_S)
    if status >= 500 or code in codes.DOWN_CODES:
        return UnavailableError(text)
    if status not in range(200, 300) or isinstance(reply.value, Exception):
        return ProtocolError(text)
    return None


def reason_text(reply: Reply) -> str:
    """Return the broker's (or the SDK's) words, shortened; never a whole payload."""
    return " ".join(reply.text.split())[:_MAX_TEXT]


def with_order_id(result: WriteResult, broker_order_id: BrokerOrderId) -> WriteResult:
    """Return an accepted result that names its order."""
    return WriteResult(outcome=result.outcome, broker_order_id=broker_order_id)


def _unknown(message: str, *, fault: FaultClass = FaultClass.UNKNOWN, code: str = "") -> WriteResult:
    return WriteResult(outcome=Outcome.UNKNOWN, fault=fault, code=code, message=message)


def _name(fault: BaseException | None) -> str:
    # The words of requests hold the address with its signature: the kinds are enough.
    if fault is None:
        return "unreadable"
    links = list(chain(fault))
    return f"{type(fault).__name__} ({type(links[-1]).__name__})"
