"""Read single fields of Binance's payloads; what is not understood raises ProtocolError."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from app.domain.errors import ProtocolError
from app.domain.numbers import ZERO

Row = Mapping[str, object]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Beyond are no amounts: the smallest coin unit is 1e-18, and no balance has more than 20 digits.
_MOST_DIGITS = 20
_FINEST = -18
# The year 2286: what is beyond cannot be milliseconds.
_LAST_MS = 10**13
_AVERAGE_STEP = Decimal("0.0000000001")


def text(row: Row, key: str) -> str:
    """Return a text that is not empty."""
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ProtocolError(f"{key}: expected text, got {value!r:.60}")
    return value.strip()


def optional_text(row: Row, key: str) -> str:
    """Return a text, "" for none."""
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ProtocolError(f"{key}: expected text or nothing, got {value!r:.60}")
    return value.strip()


def one_of(row: Row, key: str, allowed: Iterable[str]) -> str:
    """Return a text out of a closed set."""
    value = text(row, key)
    if value not in allowed:
        raise ProtocolError(f"{key}: expected one of {', '.join(sorted(allowed))}, got {value[:40]!r}")
    return value


def flag(row: Row, key: str) -> bool:
    """Return a truth value."""
    value = row.get(key)
    if not isinstance(value, bool):
        raise ProtocolError(f"{key}: expected true or false, got {value!r:.60}")
    return value


def number(row: Row, key: str) -> Decimal:
    """Return a number of either sign; Binance writes amounts as text, a float would not be exact."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ProtocolError(f"{key}: expected a number as text, got {value!r:.60}")
    try:
        found = Decimal(value)
    except InvalidOperation as e:
        raise ProtocolError(f"{key}: expected a number, got {value!r:.60}") from e
    if not found.is_finite() or found.adjusted() > _MOST_DIGITS:
        raise ProtocolError(f"{key}: expected a finite number, got {value!r:.60}")
    exponent = found.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < _FINEST:
        raise ProtocolError(f"{key}: expected at most {-_FINEST} decimals, got {value!r:.60}")
    # The form, not the value: 0E+3 must not come back in another notation.
    return found or ZERO


def amount(row: Row, key: str) -> Decimal:
    """Return a number that is zero or more."""
    found = number(row, key)
    if found < 0:
        raise ProtocolError(f"{key}: expected zero or more, got {found}")
    return found


def optional_amount(row: Row, key: str) -> Decimal | None:
    """Return an amount above zero, None for zero, nothing or an empty text."""
    if row.get(key) in (None, ""):
        return None
    return amount(row, key) or None


def whole(row: Row, key: str) -> int:
    """Return a whole number above zero, such as an id."""
    value = row.get(key)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 10**_MOST_DIGITS:
        raise ProtocolError(f"{key}: expected a whole number above zero, got {value!r:.60}")
    return value


def milliseconds(row: Row, key: str) -> int:
    """Return Unix milliseconds."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < _LAST_MS:
        raise ProtocolError(f"{key}: expected milliseconds since 1970, got {value!r:.60}")
    return value


def moment(ms: int) -> datetime:
    """Return Unix milliseconds as a time."""
    return _EPOCH + timedelta(milliseconds=ms)


def in_ms(when: datetime) -> int:
    """Return a time as Unix milliseconds."""
    return (when - _EPOCH) // timedelta(milliseconds=1)


def average(total: Decimal, quantity: Decimal) -> Decimal | None:
    """Return the average price of a quantity bought for a total, to ten decimals; None when unknown.

    Binance tells a negative total where it no longer knows it.
    """
    if quantity <= 0 or total <= 0:
        return None
    price = total / quantity
    if price.adjusted() > _MOST_DIGITS - 4:
        raise ProtocolError(f"expected a price, got {total} for {quantity}")
    return price.quantize(_AVERAGE_STEP).normalize() or None
