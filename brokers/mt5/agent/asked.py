"""Read what the platform asks of the agent; what is not understood is refused, and nothing is sent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeVar

from app.domain.orders import OrderType, Side, TimeInForce
from brokers.mt5.agent.refusals import RefusedError
from brokers.mt5.agent.terminal_thread import Urgency
from brokers.mt5.agent.trade_requests import AskedChange, AskedOrder
from brokers.mt5.protocol import Refusal, TradeAction

E = TypeVar("E", bound=StrEnum)
Body = Mapping[str, object]
_COMMAND_ID = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
_COMMENT = re.compile(r"[A-Za-z0-9_]{0,16}", re.ASCII)
_MOST_TIMEOUT_S = 120.0
_MOST_DIGITS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCancel:
    """Ask for the end of a pending order."""

    ticket: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedWrite:
    """Ask for one command that may move money, within `timeout_s` of its arrival."""

    command_id: str
    action: TradeAction
    timeout_s: float
    is_live_allowed: bool
    what: AskedOrder | AskedChange | AskedCancel

    @property
    def urgency(self) -> Urgency:
        """Whether it goes before entries: exits, changes and cancels do."""
        is_entry = isinstance(self.what, AskedOrder) and not self.what.closes
        return Urgency.ENTRY if is_entry else Urgency.EXIT


def asked_write(action: TradeAction, body: Body) -> AskedWrite:
    """Return the command in a request's body. Raises RefusedError (BAD_REQUEST)."""
    command_id = _text(body, "command_id")
    if _COMMAND_ID.fullmatch(command_id) is None:
        raise _bad("command_id", "1-40 of [A-Za-z0-9_-]", command_id)
    return AskedWrite(
        command_id=command_id,
        action=action,
        timeout_s=asked_seconds(body, "timeout_s"),
        is_live_allowed=_flag(body, "is_live_allowed"),
        what=_what(action, body),
    )


def asked_seconds(body: Body, name: str) -> float:
    """Return a time limit in seconds. Raises RefusedError (BAD_REQUEST)."""
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _MOST_TIMEOUT_S:
        raise _bad(name, f"seconds up to {_MOST_TIMEOUT_S:g}", value)
    return float(value)


def asked_text(body: Body, name: str) -> str:
    """Return text that is not empty. Raises RefusedError (BAD_REQUEST)."""
    return _text(body, name)


def asked_whole(body: Body, name: str) -> int:
    """Return a whole number from 0 to 2**64 - 1. Raises RefusedError (BAD_REQUEST)."""
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 64:
        raise _bad(name, "a whole number of 64 bits", value)
    return value


def _what(action: TradeAction, body: Body) -> AskedOrder | AskedChange | AskedCancel:
    match action:
        case TradeAction.SUBMIT:
            return _order(body)
        case TradeAction.MODIFY:
            return AskedChange(
                ticket=_ticket(body, "ticket"),
                order_type=_one_of(body, "order_type", OrderType),
                time_in_force=_one_of(body, "time_in_force", TimeInForce),
                volume=_decimal(body, "volume"),
                price=_optional_decimal(body, "price"),
                trigger_price=_optional_decimal(body, "trigger_price"),
            )
        case TradeAction.CANCEL:
            return AskedCancel(ticket=_ticket(body, "ticket"))


def _order(body: Body) -> AskedOrder:
    comment = body.get("comment")
    if not isinstance(comment, str) or _COMMENT.fullmatch(comment) is None:
        raise _bad("comment", "at most 16 of [A-Za-z0-9_]", comment)
    return AskedOrder(
        magic=_ticket(body, "magic"),
        comment=comment,
        symbol=_text(body, "symbol"),
        side=_one_of(body, "side", Side),
        order_type=_one_of(body, "order_type", OrderType),
        time_in_force=_one_of(body, "time_in_force", TimeInForce),
        volume=_decimal(body, "volume"),
        price=_optional_decimal(body, "price"),
        trigger_price=_optional_decimal(body, "trigger_price"),
        reduces_only=_flag(body, "reduces_only"),
        position=asked_whole(body, "position"),
    )


def _ticket(body: Body, name: str) -> int:
    value = asked_whole(body, name)
    if value == 0:
        raise _bad(name, "a number above zero", value)
    return value


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value or len(value) > 128:
        raise _bad(name, "text", value)
    return value


def _flag(body: Body, name: str) -> bool:
    value = body.get(name)
    if not isinstance(value, bool):
        raise _bad(name, "true or false", value)
    return value


def _one_of(body: Body, name: str, kind: type[E]) -> E:
    try:
        return kind(_text(body, name))
    except ValueError as e:
        raise _bad(name, "one of " + ", ".join(kind), body.get(name)) from e


def _decimal(body: Body, name: str) -> Decimal:
    """Return a number above zero that came as text, so that no digit is lost on the way."""
    value = body.get(name)
    try:
        number = Decimal(value) if isinstance(value, str) and len(value) <= 40 else Decimal("NaN")
    except InvalidOperation as e:
        raise _bad(name, "a decimal number in quotes", value) from e
    if not number.is_finite() or number <= 0 or abs(number.adjusted()) > _MOST_DIGITS:
        raise _bad(name, "a decimal number above zero in quotes", value)
    return number


def _optional_decimal(body: Body, name: str) -> Decimal | None:
    return None if body.get(name) is None else _decimal(body, name)


def _bad(name: str, expected: str, value: object) -> RefusedError:
    return RefusedError(Refusal.BAD_REQUEST, f"{name}: expected {expected}, got {value!r:.60}")
