"""Turn our order requests into the fields that Kotak takes, after checking all that the SDK does not."""

import re
from decimal import Decimal

from app.domain.errors import InvalidInputError
from app.domain.instruments import Instrument, InstrumentKind
from app.domain.orders import OrderType, Side, TimeInForce
from app.domain.ports import OrderChange, OrderRequest

# Kotak's own square-off of intraday positions is the net below ours should the platform be gone.
PRODUCT = "MIS"
SEGMENTS = frozenset({"nse_cm", "bse_cm", "nse_fo", "bse_fo", "mcx_fo"})
_SIDES = {Side.BUY: "B", Side.SELL: "S"}
# MKT becomes a protected limit that may rest, SL-M is refused (brokers.md 1.5): neither is ever sent.
_TYPES = {OrderType.LIMIT: "L", OrderType.STOP_LIMIT: "SL"}
_VALIDITY = {TimeInForce.DAY: "DAY", TimeInForce.IOC: "IOC"}
_TAG = re.compile(r"[A-Za-z0-9_]{1,20}", re.ASCII)


def place_fields(request: OrderRequest) -> dict[str, str]:
    """Return the arguments of the SDK's `place_order`.

    Raises:
        InvalidInputError: the order breaks a rule of the venue; nothing may be sent.
    """
    instrument = request.instrument
    if instrument.kind is InstrumentKind.INDEX or instrument.segment not in SEGMENTS:
        raise InvalidInputError(
            f"{instrument.instrument_id}: expected a tradable instrument, got {instrument.segment}"
        )
    if _TAG.fullmatch(request.client_order_id) is None:
        raise InvalidInputError(
            f"client_order_id: expected 1-20 of [A-Za-z0-9_], got {request.client_order_id!r}"
        )
    return {
        "exchange_segment": instrument.segment,
        "product": PRODUCT,
        "transaction_type": _SIDES[request.side],
        "trading_symbol": instrument.broker_symbol,
        "tag": request.client_order_id,
        "amo": "NO",
        **_terms(request),
    }


def modify_fields(change: OrderChange) -> dict[str, str]:
    """Return the arguments of the SDK's `modify_order`; raises as `place_fields` does."""
    if not change.broker_order_id.isdecimal():
        raise InvalidInputError(f"broker_order_id: expected digits, got {change.broker_order_id!r}")
    return {"order_id": change.broker_order_id, "amo": "NO", **_terms(change)}


def _terms(order: OrderRequest | OrderChange) -> dict[str, str]:
    if order.order_type not in _TYPES:
        raise InvalidInputError(
            f"order_type: Kotak Neo takes LIMIT and STOP_LIMIT from us, got {order.order_type}"
        )
    if order.price is None:
        raise InvalidInputError(f"price: {order.order_type} needs one")
    if (order.trigger_price is not None) != (order.order_type is OrderType.STOP_LIMIT):
        raise InvalidInputError(
            f"trigger_price: expected for STOP_LIMIT only, got {order.trigger_price} for {order.order_type}"
        )
    return {
        "order_type": _TYPES[order.order_type],
        "validity": _validity(order),
        "quantity": _quantity(order.quantity, order.instrument),
        "price": _price("price", order.price, order.instrument),
        "trigger_price": "0"
        if order.trigger_price is None
        else _price("trigger_price", order.trigger_price, order.instrument),
        "disclosed_quantity": "0",
    }


def _validity(order: OrderRequest | OrderChange) -> str:
    # Commodities know DAY only (brokers.md 1.5).
    known = set(_VALIDITY) - ({TimeInForce.IOC} if order.instrument.segment == "mcx_fo" else set())
    if order.time_in_force not in known:
        raise InvalidInputError(
            f"time_in_force: expected one of {', '.join(sorted(known))} in {order.instrument.segment}, "
            f"got {order.time_in_force}"
        )
    return _VALIDITY[order.time_in_force]


def _quantity(quantity: Decimal, instrument: Instrument) -> str:
    most = instrument.max_order_qty
    is_whole = quantity.is_finite() and quantity > 0 and quantity % instrument.lot_size == 0
    if not is_whole or quantity != quantity.to_integral_value() or (most is not None and quantity > most):
        raise InvalidInputError(
            f"quantity: expected a multiple of {instrument.lot_size} up to {most or 'any'}, got {quantity}"
        )
    return f"{quantity:.0f}"


def _price(name: str, price: Decimal, instrument: Instrument) -> str:
    if not price.is_finite() or price <= 0 or price % instrument.tick_size != 0:
        raise InvalidInputError(
            f"{name}: expected a positive multiple of {instrument.tick_size}, got {price}"
        )
    return f"{price:f}"
