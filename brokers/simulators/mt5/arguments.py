"""Check what a caller gives the module's functions, and turn it into what goes down the pipe."""

from collections.abc import Mapping
from datetime import datetime

from brokers.simulators.mt5.shapes import TEXT_FIELDS, TradeRequest

COMMENT_LENGTH = 31
_REAL_FIELDS = frozenset({"volume", "price", "stoplimit", "sl", "tp"})
_UNSIGNED_64 = 1 << 64


class BadArgumentError(Exception):
    """Say which argument is wrong, in the words of the real module."""

    def __init__(self, name: str) -> None:
        super().__init__(f'Invalid "{name}" argument' if name else "Invalid arguments")


def seconds(value: object, name: str) -> int:
    """Return epoch seconds of a datetime or a number; a naive datetime counts as local time."""
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value)
    raise BadArgumentError(name)


def whole(value: object, name: str) -> int:
    """Return an integer of at most 64 bits. Raises: BadArgumentError."""
    if isinstance(value, bool) or not isinstance(value, int) or not -1 <= value < _UNSIGNED_64:
        raise BadArgumentError(name)
    return value


def _real(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadArgumentError(name)
    return float(value)


def request_fields(request: object) -> dict[str, object]:
    """Return a trade request with every field set. Raises: BadArgumentError."""
    if not isinstance(request, Mapping):
        raise BadArgumentError("")
    if "action" not in request:
        raise BadArgumentError("action")
    fields: dict[str, object] = {}
    for name in TradeRequest._fields:
        value = request.get(name)
        if name in TEXT_FIELDS:
            fields[name] = _text("" if value is None else value, name)
        elif name in _REAL_FIELDS:
            fields[name] = _real(0.0 if value is None else value, name)
        elif name == "expiration":
            fields[name] = seconds(0 if value is None else value, name)
        else:
            fields[name] = whole(0 if value is None else value, name)
    return fields


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or (name == "comment" and len(value) > COMMENT_LENGTH):
        raise BadArgumentError(name)
    return value


def chosen(
    filters: Mapping[str, object], *, texts: tuple[str, ...], numbers: tuple[str, ...]
) -> dict[str, object]:
    """Return the filters that are set. Raises: BadArgumentError."""
    for name in filters:
        if name not in texts + numbers:
            raise BadArgumentError("")
    result: dict[str, object] = {}
    for name, value in filters.items():
        if value is not None:
            result[name] = _text(value, name) if name in texts else whole(value, name)
    return result
