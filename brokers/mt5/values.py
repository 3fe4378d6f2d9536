"""Read the values of an agent's reply; what is not understood raises ProtocolError."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from app.domain.errors import ProtocolError

Row = Mapping[str, object]
_MOST_DIGITS = 30
_MOST_TEXT = 60


def parse_json(text: str | bytes) -> object:
    """Return JSON with exact numbers: every fraction is a Decimal. Raises ProtocolError."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError) as e:
        raise ProtocolError(f"expected JSON, got {text[:60]!r} ({type(e).__name__})") from e


def row(value: object, name: str) -> Row:
    """Return an object."""
    if not isinstance(value, dict):
        raise ProtocolError(f"{name}: expected an object, got {value!r:.60}")
    return value


def rows(body: Row, name: str) -> Sequence[Row]:
    """Return a list of objects."""
    found = body.get(name)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ProtocolError(f"{name}: expected a list of objects, got {found!r:.60}")
    return found


def text(body: Row, name: str) -> str:
    """Return text that may be empty."""
    found = body.get(name)
    if not isinstance(found, str):
        raise ProtocolError(f"{name}: expected text, got {found!r:.60}")
    return found


def name_of(body: Row, name: str) -> str:
    """Return text that is not empty."""
    found = text(body, name)
    if not found.strip():
        raise ProtocolError(f"{name}: expected text, got nothing")
    return found


def whole(body: Row, name: str) -> int:
    """Return a whole number that fits 64 bits, signed or not."""
    found = body.get(name)
    if isinstance(found, bool) or not isinstance(found, int) or not -(1 << 63) <= found < 1 << 64:
        raise ProtocolError(f"{name}: expected a whole number, got {found!r:.60}")
    return found


def number(body: Row, name: str) -> Decimal:
    """Return a finite number of a sensible size; fractions travel as text."""
    found = body.get(name)
    if isinstance(found, bool) or not isinstance(found, int | Decimal | str) or len(str(found)) > _MOST_TEXT:
        raise ProtocolError(f"{name}: expected a number, got {found!r:.60}")
    try:
        value = Decimal(found)
    except InvalidOperation as e:
        raise ProtocolError(f"{name}: expected a number, got {found!r:.60}") from e
    if not value.is_finite() or abs(value.adjusted()) > _MOST_DIGITS:
        raise ProtocolError(f"{name}: expected a finite number, got {found!r:.60}")
    return value


def positive(body: Row, name: str) -> Decimal:
    """Return a number above zero."""
    value = number(body, name)
    if value <= 0:
        raise ProtocolError(f"{name}: expected a number above zero, got {value}")
    return value


def not_negative(body: Row, name: str) -> Decimal:
    """Return a number that is zero or more."""
    value = number(body, name)
    if value < 0:
        raise ProtocolError(f"{name}: expected zero or more, got {value}")
    return value


def trimmed(value: Decimal) -> Decimal:
    """Return the same number without zeros behind the point: 1000.000 is 1000."""
    whole_part = value.to_integral_value()
    return whole_part if whole_part == value else value.normalize()


def flag(body: Row, name: str) -> bool:
    """Return a truth value."""
    found = body.get(name)
    if not isinstance(found, bool):
        raise ProtocolError(f"{name}: expected true or false, got {found!r:.60}")
    return found


def _refuse(word: str) -> object:
    raise ValueError(word)
