"""Classify every reply of an agent by proof: what surely was not sent, what surely was, and the rest."""

from app.domain.errors import (
    BrokerError,
    ProtocolError,
    RateLimitedError,
    SessionExpiredError,
    UnavailableError,
)
from app.domain.ids import BrokerOrderId
from app.domain.reports import FaultClass, Outcome, WriteResult
from brokers.mt5.protocol import Refusal, Result
from brokers.mt5.retcodes import Retcode, Verdict, verdict_of_retcode, verdict_of_silence
from brokers.mt5.rpc import NEVER_LEFT, Reply
from brokers.mt5.values import Row

_O, _F, _R = Outcome, FaultClass, Refusal
_RETRY_AFTER_S = 1.0

REFUSALS: dict[Refusal, Verdict] = {
    _R.BAD_TOKEN: (_O.NOT_SENT, _F.AUTH_DENIED),
    _R.PEER_DENIED: (_O.NOT_SENT, _F.IP_DENIED),
    _R.BAD_REQUEST: (_O.NOT_SENT, _F.INVALID),
    _R.NOT_LOGGED_IN: (_O.NOT_SENT, _F.AUTH_EXPIRED),
    _R.LOGIN_FAILED: (_O.NOT_SENT, _F.AUTH_DENIED),
    _R.WRONG_ACCOUNT: (_O.NOT_SENT, _F.AUTH_DENIED),
    _R.TRADING_OFF: (_O.NOT_SENT, _F.AUTH_DENIED),
    _R.LIVE_FORBIDDEN: (_O.NOT_SENT, _F.AUTH_DENIED),
    _R.NOT_CONNECTED: (_O.NOT_SENT, _F.BROKER_DOWN),
    _R.UNREADABLE: (_O.NOT_SENT, _F.BROKER_DOWN),
    _R.BUSY: (_O.NOT_SENT, _F.BROKER_DOWN),
    _R.SICK: (_O.NOT_SENT, _F.BROKER_DOWN),
    _R.NO_JOURNAL: (_O.NOT_SENT, _F.BROKER_DOWN),
    _R.INVALID: (_O.REJECTED, _F.INVALID),
    _R.PRICE_MOVED: (_O.REJECTED, _F.THROTTLED),
    _R.NOT_FOUND: (_O.REJECTED, _F.NOT_FOUND),
    _R.ALREADY_DONE: (_O.REJECTED, _F.ALREADY_DONE),
    # Never looked up: the code of the check decides, see `_checked`.
    _R.CHECK_FAILED: (_O.REJECTED, _F.INVALID),
}
_SESSION = frozenset({_R.NOT_LOGGED_IN, _R.BAD_TOKEN, _R.PEER_DENIED, _R.LOGIN_FAILED})


def classify_write(reply: Reply, *, asked: BrokerOrderId | None = None) -> WriteResult:
    """Return how a submit (`asked` None), modify or cancel (`asked` given) ended.

    Whatever is not proven is UNKNOWN. Source: brokers.md 3.3.
    """
    body = reply.body
    if body is None:
        if isinstance(reply.fault, NEVER_LEFT):
            return WriteResult(outcome=_O.NOT_SENT, fault=_F.BROKER_DOWN, message=reply.text)
        return _unknown(reply.text, fault=_F.BROKER_DOWN)
    if body.get("result") == Result.REFUSED:
        return _refused(body, reply.text)
    if body.get("result") != Result.ANSWERED:
        return _unknown(reply.text, fault=_F.DUPLICATE if body.get("repeated") else _F.UNKNOWN)
    result = _answered(body, asked)
    if body.get("repeated") and result.outcome in (_O.ACCEPTED, _O.UNKNOWN):
        return _unknown(f"sent before; {result.message}", fault=_F.DUPLICATE, code=result.code)
    return result


def read_body(reply: Reply) -> Row:
    """Return the body of a read that succeeded.

    Raises:
        UnavailableError: no connection, no reply, a terminal that is not connected or busy.
        SessionExpiredError: nobody is logged in, or the agent does not know us.
        ProtocolError: the reply cannot be read, or another account answered.
    """
    body = reply.body
    if body is None:
        if reply.fault is not None or (reply.status is not None and reply.status >= 500):
            raise UnavailableError(f"the agent did not answer: {reply.text}")
        if reply.status == 429:
            raise RateLimitedError(reply.text, retry_after_s=_RETRY_AFTER_S)
        raise ProtocolError(f"expected a reply of an agent, got {reply.text}")
    if body.get("result") == Result.DONE:
        return body
    raise _read_fault(body, reply.text)


def refusal_of(body: Row) -> Refusal | None:
    """Return why the agent refused, or None when it did not say so in words that we know."""
    try:
        return Refusal(str(body.get("refusal")))
    except ValueError:
        return None


def _read_fault(body: Row, text: str) -> BrokerError:
    refusal = refusal_of(body)
    if refusal in _SESSION:
        return SessionExpiredError(f"{refusal}: {text}")
    if refusal in (None, _R.WRONG_ACCOUNT, _R.BAD_REQUEST):
        return ProtocolError(f"{refusal or 'no reason'}: {text}")
    return UnavailableError(f"{refusal}: {text}")


def _refused(body: Row, text: str) -> WriteResult:
    refusal = refusal_of(body)
    if refusal is None:
        return _unknown(f"refused for an unknown reason: {text}")
    if refusal is _R.CHECK_FAILED:
        return _checked(str(body.get("message")), text)
    outcome, fault = REFUSALS[refusal]
    return WriteResult(
        outcome=outcome,
        fault=fault,
        code=refusal,
        message=text,
        retry_after_s=_RETRY_AFTER_S if fault is _F.THROTTLED else None,
    )


def _checked(message: str, text: str) -> WriteResult:
    """Return what the terminal's own check said; it comes before sending, so nothing can be in doubt."""
    code = message.partition(" ")[0]
    if code.isascii() and code.isdecimal() and len(code) < 9:
        outcome, fault = verdict_of_retcode(int(code))
        if outcome in (_O.REJECTED, _O.NOT_SENT):
            return _result(outcome, fault, code=code, message=text)
    return _result(_O.NOT_SENT, _F.BROKER_DOWN, code=code, message=text)


def _answered(body: Row, asked: BrokerOrderId | None) -> WriteResult:
    retcode, silence = body.get("retcode"), body.get("last_error")
    text = str(body.get("comment") or body.get("message") or "")[:200]
    if not _is_code(retcode):
        if not _is_code(silence):
            return _unknown(f"expected a return code, got {retcode!r:.40}")
        outcome, fault = verdict_of_silence(_int(silence))
        return _result(outcome, fault, code=str(silence), message=text)
    code = _int(retcode)
    outcome, fault = verdict_of_retcode(code)
    if code == Retcode.NO_CHANGES and asked is not None:
        outcome, fault = _O.ACCEPTED, _F.NONE
    if outcome is not _O.ACCEPTED:
        return _result(outcome, fault, code=str(code), message=text)
    ticket = body.get("order")
    order_id = asked or (BrokerOrderId(str(ticket)) if _is_code(ticket) and _int(ticket) > 0 else None)
    if order_id is None:
        return _unknown(f"{code}: accepted, without an order number", code=str(code))
    return WriteResult(outcome=outcome, broker_order_id=order_id, code=str(code), message=text)


def _result(outcome: Outcome, fault: FaultClass, *, code: str, message: str) -> WriteResult:
    return WriteResult(
        outcome=outcome,
        fault=fault,
        code=code,
        message=f"{code} {message}".strip(),
        retry_after_s=_RETRY_AFTER_S if fault is _F.THROTTLED else None,
    )


def _unknown(message: str, *, fault: FaultClass = FaultClass.UNKNOWN, code: str = "") -> WriteResult:
    return WriteResult(outcome=_O.UNKNOWN, fault=fault, code=code, message=message)


def _is_code(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _int(value: object) -> int:
    return int(str(value))
