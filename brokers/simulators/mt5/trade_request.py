"""Read a trade request off the wire into the broker's own units."""

from collections.abc import Mapping
from dataclasses import dataclass

from brokers.simulators.mt5.minutes import POINTS_PER_UNIT

COMMENT_LENGTH = 31
_TOLERANCE = 1e-6  # of a point or of a hundredth of a lot: what binary fractions cost, no more
NOT_ON_GRID = -1


def _scaled(value: object, scale: int) -> int:
    if not isinstance(value, int | float):
        raise ValueError(f"expected a number, got {value!r}")  # noqa: TRY004  # one kind for all bad input
    exact = value * scale
    whole = round(exact)
    return whole if abs(exact - whole) <= _TOLERANCE * max(1.0, abs(exact) / scale) else NOT_ON_GRID


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRequest:
    """One request; prices in points, volume in hundredths of a lot; -1 marks a value off its grid."""

    action: int
    symbol: str = ""
    volume: int = 0
    price: int = 0
    stoplimit: int = 0
    sl: int = 0
    tp: int = 0
    deviation: int = 0
    type: int = 0
    type_filling: int = 0
    type_time: int = 0
    expiration: int = 0
    order: int = 0
    position: int = 0
    position_by: int = 0
    magic: int = 0
    comment: str = ""


def parse_request(raw: Mapping[str, object]) -> TradeRequest:
    """Return the request; absent fields are zero. Raises: ValueError for any other type."""
    values: dict[str, object] = {}
    for name in TradeRequest.__dataclass_fields__:
        value = raw.get(name)
        if value is None:
            continue
        if name in {"price", "stoplimit", "sl", "tp"}:
            values[name] = _scaled(value, POINTS_PER_UNIT)
        elif name == "volume":
            values[name] = _scaled(value, 100)
        elif name in {"symbol", "comment"}:
            values[name] = str(value)
        elif isinstance(value, int):
            values[name] = value
        else:
            raise ValueError(f"expected an integer as {name}, got {value!r}")
    values.setdefault("action", 0)
    return TradeRequest(**values)  # type: ignore[arg-type]  # names and types are those above
