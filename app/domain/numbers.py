"""Keep money and quantities exact: the only door from float to Decimal, and rounding to grids."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation
from enum import StrEnum

from app.domain.errors import InvalidInputError

ZERO = Decimal(0)
_ONE = Decimal(1)


class Rounding(StrEnum):
    """Say towards which side a number moves onto its grid."""

    DOWN = "DOWN"
    UP = "UP"
    NEAREST = "NEAREST"


_MODES = {
    Rounding.DOWN: ROUND_FLOOR,
    Rounding.UP: ROUND_CEILING,
    Rounding.NEAREST: ROUND_HALF_UP,
}


def parse_decimal(text: str | int | Decimal, *, name: str) -> Decimal:
    """Return a finite Decimal or raise InvalidInputError that names the field and what came."""
    try:
        value = Decimal(text)
    except InvalidOperation as e:
        raise InvalidInputError(f"{name}: expected a decimal number, got {text!r}") from e
    if not value.is_finite():
        raise InvalidInputError(f"{name}: expected a finite number, got {text!r}")
    return value


def exact(name: str, value: object) -> Decimal:
    """Return a setting as a Decimal; floats, which have lost digits already, are refused."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise InvalidInputError(
            f'{name}: expected a whole number or a decimal in quotes such as "0.20", got {value!r}'
        )
    return parse_decimal(value, name=name)


def plain(value: Decimal) -> Decimal:
    """Return the same number without trailing zeros after the point and without an exponent."""
    return value.quantize(_ONE) if value == value.to_integral_value() else value.normalize()


def round_to_step(value: Decimal, step: Decimal, rounding: Rounding) -> Decimal:
    """Return the multiple of `step` next to `value` in the given direction.

    Raises:
        InvalidInputError: `value` is not finite or `step` is not positive.
    """
    if not value.is_finite() or not step.is_finite() or step <= 0:
        raise InvalidInputError(f"expected a finite value and a positive step, got {value} and {step}")
    return (value / step).to_integral_value(_MODES[rounding]) * step


def to_tick(value: float | Decimal, tick_size: Decimal, rounding: Rounding) -> Decimal:
    """Bring an indicator's float (or a Decimal) onto the price grid: the only door from float to Decimal.

    The float is first rounded to ten digits after the point, so that 100.05 read as
    100.04999999999999716 does not fall to the tick below.
    """
    exact = value if isinstance(value, Decimal) else parse_decimal(f"{value:.10f}", name="price")
    return round_to_step(exact, tick_size, rounding)


def floor_to_lot(quantity: Decimal, lot_size: Decimal) -> Decimal:
    """Round a quantity down to whole lots: never trade bigger than asked.

    Raises:
        InvalidInputError: the quantity is negative.
    """
    if quantity < 0:
        raise InvalidInputError(f"quantity: expected zero or more, got {quantity}")
    return round_to_step(quantity, lot_size, Rounding.DOWN)
