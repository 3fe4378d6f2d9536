"""Read OpenAlgo's requests: a JSON object in any content type, fields as its documentation names them."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from app.amibroker.symbols import instrument_named
from app.domain.errors import InvalidInputError
from app.domain.external import Amount, ExternalWish, Leave, Target, Trade, Unit
from app.domain.numbers import parse_decimal
from app.domain.orders import Side

MOST_BYTES: Final = 4096
_COMMON: Final = frozenset({"apikey", "strategy"})
_ORDER: Final = _COMMON | {
    "symbol",
    "exchange",
    "action",
    "product",
    "pricetype",
    "quantity",
    "price",
    "trigger_price",
    "disclosed_quantity",
    "underlying_ltp",
    "client_order_id",
    "stop_fraction",
}
_ZERO_FIELDS: Final = ("price", "trigger_price", "disclosed_quantity")

Fields = Mapping[str, Any]


def parse_body(raw: bytes) -> Fields:
    """Return the fields. Raises InvalidInputError for what is no small JSON object."""
    if len(raw) > MOST_BYTES:
        raise InvalidInputError(f"body: expected at most {MOST_BYTES} bytes, got more")
    try:
        fields = json.loads(raw, parse_float=Decimal)
    except ValueError as e:
        raise InvalidInputError("body: expected a JSON object") from e
    if not isinstance(fields, dict):
        raise InvalidInputError("body: expected a JSON object")
    return fields


def text(fields: Fields, name: str, default: str | None = None) -> str:
    """Return a field as text. Raises InvalidInputError where it is missing."""
    value = fields.get(name, default)
    if value is None or isinstance(value, dict | list | bool):
        raise InvalidInputError(f"{name}: expected a value, got {value!r}")
    return str(value).strip()


def require_known(fields: Fields, more: frozenset[str] = frozenset()) -> None:
    """Refuse fields that would be passed over in silence. Raises InvalidInputError."""
    unknown = sorted(fields.keys() - _COMMON - more)
    if unknown:
        raise InvalidInputError(f"expected only fields that are acted on, got also {', '.join(unknown)}")


def order_wish(fields: Fields) -> tuple[ExternalWish, bool]:
    """Return the wish of a placeorder, and whether its key is only a fingerprint of its contents."""
    require_known(fields, _ORDER)
    side = _terms(fields)
    quantity = number(fields, "quantity")
    ask = Trade(side=side, amount=Amount(value=quantity, unit=Unit.UNITS))
    key = _key_of(fields)
    parts = [text(fields, name) for name in ("strategy", "symbol", "exchange")]
    print_ = hashlib.sha256("|".join([*parts, side, f"{quantity:f}"]).encode()).hexdigest()[:24]
    return _wish(fields, ask, key or f"oa-{print_}"), key is None


def smart_wish(fields: Fields) -> ExternalWish:
    """Return the wish of a placesmartorder: `position_size` is the position that shall be held."""
    require_known(fields, _ORDER | {"position_size"})
    _terms(fields)
    target = Target(amount=Amount(value=number(fields, "position_size"), unit=Unit.UNITS))
    return _wish(fields, target, _key_of(fields) or _new_key())


def close_wish(fields: Fields) -> ExternalWish:
    """Return the wish of a closeposition: all that the key's deployment holds."""
    require_known(fields, frozenset({"client_order_id"}))
    reason = f"openalgo {text(fields, 'strategy')}"
    return ExternalWish(
        key=_key_of(fields) or _new_key(), instrument_id=None, ask=Leave(), reason=reason[:500]
    )


def number(fields: Fields, name: str) -> Decimal:
    """Return a field as an exact number. Raises InvalidInputError."""
    return parse_decimal(text(fields, name), name=name)


def _terms(fields: Fields) -> Side:
    """Return the side; refuse terms that the platform would not keep."""
    price_type = text(fields, "pricetype", "MARKET").upper()
    if price_type != "MARKET":
        raise InvalidInputError(
            f"pricetype: expected MARKET (a limit with protection, as everything here), got {price_type}"
        )
    product = text(fields, "product", "MIS").upper()
    if product != "MIS":
        raise InvalidInputError(
            f"product: expected MIS, positions are squared off the same day, got {product}"
        )
    for name in _ZERO_FIELDS:
        if parse_decimal(text(fields, name, "0"), name=name) != 0:
            raise InvalidInputError(f"{name}: expected 0 with MARKET, got {fields[name]}")
    action = text(fields, "action").upper()
    if action not in Side.__members__:
        raise InvalidInputError(f"action: expected BUY or SELL, got {action!r}")
    return Side(action)


def _wish(fields: Fields, ask: Target | Trade, key: str) -> ExternalWish:
    stop = fields.get("stop_fraction")
    return ExternalWish(
        key=key,
        instrument_id=instrument_named(text(fields, "symbol"), text(fields, "exchange")),
        ask=ask,
        reason=f"openalgo {text(fields, 'strategy')}"[:500],
        stop_fraction=None if stop is None else number(fields, "stop_fraction"),
    )


def _key_of(fields: Fields) -> str | None:
    return text(fields, "client_order_id") if fields.get("client_order_id") is not None else None


def _new_key() -> str:
    return f"oa-{secrets.token_hex(12)}"
