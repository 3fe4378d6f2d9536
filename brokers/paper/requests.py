"""Turn our order requests into the exchange's forms, after checking what it would refuse."""

import re
from decimal import Decimal

from app.domain.errors import InvalidInputError
from app.domain.instruments import Instrument, InstrumentKind
from app.domain.orders import OrderType
from app.domain.ports import OrderChange, OrderRequest

Form = dict[str, object]
_TAG = re.compile(r"[A-Za-z0-9_-]{1,36}", re.ASCII)
_LIMITS = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_STOPS = frozenset({OrderType.STOP_LIMIT, OrderType.STOP_MARKET})


def place_form(request: OrderRequest) -> Form:
    """Return the form of a new order.

    Raises:
        InvalidInputError: the order breaks a rule; nothing may be sent.
    """
    if _TAG.fullmatch(request.client_order_id) is None:
        raise InvalidInputError(
            f"client_order_id: expected 1-36 of [A-Za-z0-9_-], got {request.client_order_id!r}"
        )
    if request.position_ref:
        raise InvalidInputError(f"position_ref: a paper account nets, got {request.position_ref!r}")
    return {
        "client_order_id": request.client_order_id,
        "instrument": _instrument(request.instrument),
        "side": request.side.value,
        "reduces_only": request.reduces_only,
        **_terms(request),
    }


def modify_form(change: OrderChange) -> Form:
    """Return the form of a change; raises as `place_form` does."""
    return _terms(change)


def _instrument(instrument: Instrument) -> Form:
    if instrument.kind is InstrumentKind.INDEX:
        raise InvalidInputError(f"{instrument.instrument_id}: expected a tradable instrument, got an index")
    return {
        "id": instrument.instrument_id,
        "symbol": instrument.broker_symbol,
        "venue": instrument.venue.value,
        "kind": instrument.kind.value,
        "tick_size": str(instrument.tick_size),
        "lot_size": str(instrument.lot_size),
        "currency": instrument.currency,
    }


def _terms(order: OrderRequest | OrderChange) -> Form:
    for name, value, takers in (
        ("price", order.price, _LIMITS),
        ("trigger_price", order.trigger_price, _STOPS),
    ):
        if (value is not None) != (order.order_type in takers):
            raise InvalidInputError(f"{name}: not as {order.order_type} needs it, got {value}")
    return {
        "type": order.order_type.value,
        "time_in_force": order.time_in_force.value,
        "quantity": _quantity(order.quantity, order.instrument),
        "price": _price("price", order.price, order.instrument),
        "trigger_price": _price("trigger_price", order.trigger_price, order.instrument),
    }


def _quantity(quantity: Decimal, instrument: Instrument) -> str:
    most = instrument.max_order_qty
    is_whole = quantity.is_finite() and quantity > 0 and quantity % instrument.lot_size == 0
    if not is_whole or (most is not None and quantity > most):
        raise InvalidInputError(
            f"quantity: expected a multiple of {instrument.lot_size} up to {most or 'any'}, got {quantity}"
        )
    return f"{quantity:f}"


def _price(name: str, price: Decimal | None, instrument: Instrument) -> str | None:
    if price is None:
        return None
    if not price.is_finite() or price <= 0 or price % instrument.tick_size != 0:
        raise InvalidInputError(
            f"{name}: expected a positive multiple of {instrument.tick_size}, got {price}"
        )
    return f"{price:f}"
