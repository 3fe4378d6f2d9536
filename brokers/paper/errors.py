"""Classify every reply of the paper exchange by proof: surely accepted, surely not, and the rest."""

from collections.abc import Mapping

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
from app.domain.orders import OrderStatus
from app.domain.reports import FaultClass, Outcome, WriteResult
from brokers.paper import mapping
from brokers.paper.client import Reply, is_egress_fault

# The request cannot have reached the exchange: no connection, or none free in the pool.
NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)
_RETRY_AFTER_S = 1.0
_MAX_TEXT = 200
# Status and code together: a page of somebody else with the same status proves nothing.
_NOT_TAKEN = {
    (401, "session_over"): FaultClass.AUTH_EXPIRED,
    (401, "unauthorized"): FaultClass.AUTH_DENIED,
    (403, "address_denied"): FaultClass.IP_DENIED,
    (429, "throttled"): FaultClass.THROTTLED,
}
_REFUSED = {
    (404, "not_found"): FaultClass.NOT_FOUND,
    (409, "already_done"): FaultClass.ALREADY_DONE,
    (422, "invalid"): FaultClass.INVALID,
    (422, "funds"): FaultClass.FUNDS,
}
# Why an order stands in the book as rejected.
_REJECTED = {
    "no_fresh_quote": FaultClass.MARKET_CLOSED,
    "invalid": FaultClass.INVALID,
    "funds": FaultClass.FUNDS,
}


def classify_write(reply: Reply, *, asked: BrokerOrderId | None = None) -> WriteResult:
    """Return how a place (`asked` None), modify or cancel (`asked` given) ended.

    Whatever is not proven is UNKNOWN: read and write faults, unreadable replies, server errors,
    redirects, and codes that the exchange does not have.
    """
    if reply.status is None:
        return _by_fault(reply.fault)
    text = _text(reply)
    key = (reply.status, error_code(reply))
    if key in _NOT_TAKEN:
        fault = _NOT_TAKEN[key]
        wait_s = (reply.retry_after_s or _RETRY_AFTER_S) if fault is FaultClass.THROTTLED else None
        return WriteResult(
            outcome=Outcome.NOT_SENT, fault=fault, code=key[1], message=text, retry_after_s=wait_s
        )
    if key in _REFUSED:
        return WriteResult(outcome=Outcome.REJECTED, fault=_REFUSED[key], code=key[1], message=text)
    if reply.status not in (200, 201):
        fault = FaultClass.BROKER_DOWN if reply.status >= 500 else FaultClass.UNKNOWN
        return _unknown(text, fault=fault, code=str(reply.status))
    return _by_order(reply, asked)


def _by_fault(fault: httpx.HTTPError | None) -> WriteResult:
    if isinstance(fault, NEVER_LEFT):
        why = FaultClass.EGRESS_DOWN if is_egress_fault(fault) else FaultClass.BROKER_DOWN
        return WriteResult(outcome=Outcome.NOT_SENT, fault=why, message=f"no connection: {_name(fault)}")
    return _unknown(f"no reply: {_name(fault)}", fault=FaultClass.BROKER_DOWN)


def _by_order(reply: Reply, asked: BrokerOrderId | None) -> WriteResult:
    body = reply.body or {}
    try:
        report = mapping.order_report(mapping.part(body, "order"))
        is_repeat = mapping.flag(body, "is_repeat") if asked is None else False
    except ProtocolError as e:
        return _unknown(f"unreadable reply: {e}")
    if asked is not None and report.broker_order_id != asked:
        return _unknown(f"expected order {asked}, got {report.broker_order_id}")
    if is_repeat:
        return WriteResult(
            outcome=Outcome.UNKNOWN,
            fault=FaultClass.DUPLICATE,
            broker_order_id=report.broker_order_id,
            message=f"{report.tag} was sent before: its order is {report.broker_order_id}",
        )
    if asked is None and report.status is OrderStatus.REJECTED:
        code = str(mapping.part(body, "order").get("code"))
        return WriteResult(
            outcome=Outcome.REJECTED,
            broker_order_id=report.broker_order_id,
            fault=_REJECTED.get(code, FaultClass.UNKNOWN),
            code=code,
            message=report.reject_reason[:_MAX_TEXT],
        )
    return WriteResult(outcome=Outcome.ACCEPTED, broker_order_id=report.broker_order_id)


def read_body(reply: Reply) -> Mapping[str, object]:
    """Return the JSON object of a read.

    Raises:
        UnavailableError: no connection, no reply, or a server error.
        RateLimitedError: throttled.
        SessionExpiredError: the session is over.
        AddressDeniedError: it came from another source address.
        ProtocolError: the reply cannot be read.
    """
    fault = _read_fault(reply)
    if fault is not None:
        raise fault
    if reply.status == 200 and reply.body is not None:
        return reply.body
    raise ProtocolError(f"expected a JSON object, got {_text(reply)}")


def _read_fault(reply: Reply) -> BrokerError | None:
    if reply.status is None:
        if is_egress_fault(reply.fault):
            return EgressDownError(f"egress_down: no way out: {_name(reply.fault)}")
        return UnavailableError(f"the paper exchange did not answer: {_name(reply.fault)}")
    fault = _NOT_TAKEN.get((reply.status, error_code(reply)))
    if fault is FaultClass.THROTTLED:
        return RateLimitedError(_text(reply), retry_after_s=reply.retry_after_s or _RETRY_AFTER_S)
    if fault is FaultClass.IP_DENIED:
        return AddressDeniedError(_text(reply))
    if fault is not None:
        return SessionExpiredError(_text(reply))
    return UnavailableError(_text(reply)) if reply.status >= 500 else None


def error_code(reply: Reply) -> str:
    """Return the exchange's word for an error, "" without one."""
    error = (reply.body or {}).get("error")
    code = error.get("code") if isinstance(error, Mapping) else None
    return code if isinstance(code, str) else ""


def _text(reply: Reply) -> str:
    error = (reply.body or {}).get("error")
    words = error.get("message") if isinstance(error, Mapping) else "no reason given"
    return f"HTTP {reply.status}: {words}"[:_MAX_TEXT]


def _unknown(message: str, *, fault: FaultClass = FaultClass.UNKNOWN, code: str = "") -> WriteResult:
    return WriteResult(outcome=Outcome.UNKNOWN, fault=fault, code=code, message=message)


def _name(fault: BaseException | None) -> str:
    return "unreadable" if fault is None else f"{type(fault).__name__} {fault}".strip()[:_MAX_TEXT]
