"""Turn our order requests into the commands that an agent takes, after checking what no terminal checks."""

from decimal import Decimal

from app.domain.errors import InvalidInputError
from app.domain.ids import BrokerOrderId
from app.domain.instruments import Instrument, Venue
from app.domain.orders import OrderType
from app.domain.ports import OrderChange, OrderRequest
from brokers.mt5.tags import comment_of, magic_of

# MT5's own stop-limit waits for a better price than its trigger, ours for a worse one: never sent.
ORDER_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_MARKET})

Fields = dict[str, object]


def submit_fields(request: OrderRequest) -> Fields:
    """Return the body of the command `submit`; its id is the client order id.

    Raises:
        InvalidInputError: the order breaks a rule of the venue; nothing may be sent.
    """
    position = request.position_ref or "0"
    if not (position.isascii() and position.isdecimal() and len(position) <= 20):
        raise InvalidInputError(f"position_ref: expected the digits of a ticket, got {position!r:.40}")
    return {
        "command_id": request.client_order_id,
        "magic": magic_of(request.client_order_id),
        "comment": comment_of(request.client_order_id),
        "symbol": _symbol(request.instrument),
        "side": request.side,
        "reduces_only": request.reduces_only,
        "position": int(position),
        **_terms(request),
    }


def modify_fields(change: OrderChange, *, command_id: str) -> Fields:
    """Return the body of the command `modify`; raises as `submit_fields` does."""
    _symbol(change.instrument)
    return {"command_id": command_id, "ticket": ticket_of(change.broker_order_id), **_terms(change)}


def cancel_fields(broker_order_id: BrokerOrderId, *, command_id: str) -> Fields:
    """Return the body of the command `cancel`; raises as `submit_fields` does."""
    return {"command_id": command_id, "ticket": ticket_of(broker_order_id)}


def ticket_of(broker_order_id: BrokerOrderId) -> int:
    """Return the ticket of an order. Raises InvalidInputError when it is none."""
    is_number = broker_order_id.isascii() and broker_order_id.isdecimal() and len(broker_order_id) <= 20
    if not is_number or not 0 < int(broker_order_id) < 1 << 64:
        raise InvalidInputError(f"broker_order_id: expected a ticket, got {broker_order_id!r:.40}")
    return int(broker_order_id)


def _symbol(instrument: Instrument) -> str:
    if instrument.venue is not Venue.MT5:
        raise InvalidInputError(f"{instrument.instrument_id}: expected an instrument of MT5")
    return instrument.broker_symbol


def _terms(order: OrderRequest | OrderChange) -> Fields:
    kind = order.order_type
    if kind not in ORDER_TYPES:
        raise InvalidInputError(f"order_type: expected one of {', '.join(sorted(ORDER_TYPES))}, got {kind}")
    for name, value, is_due in (
        ("price", order.price, kind is OrderType.LIMIT),
        ("trigger_price", order.trigger_price, kind is OrderType.STOP_MARKET),
    ):
        if (value is not None) != is_due:
            raise InvalidInputError(f"{name}: expected {'one' if is_due else 'none'} for {kind}, got {value}")
    return {
        "order_type": kind,
        "time_in_force": order.time_in_force,
        "volume": f"{_volume(order.quantity, order.instrument):f}",
        "price": _price("price", order.price, order.instrument),
        "trigger_price": _price("trigger_price", order.trigger_price, order.instrument),
    }


def _volume(quantity: Decimal, instrument: Instrument) -> Decimal:
    """Return the lots of a quantity in units of the base currency."""
    most = instrument.max_order_qty
    is_whole = quantity.is_finite() and quantity > 0 and quantity % instrument.lot_size == 0
    if not is_whole or (most is not None and quantity > most):
        raise InvalidInputError(
            f"quantity: expected a multiple of {instrument.lot_size} up to {most or 'any'}, got {quantity}"
        )
    return (quantity / instrument.contract_size).normalize()


def _price(name: str, price: Decimal | None, instrument: Instrument) -> str | None:
    if price is None:
        return None
    if not price.is_finite() or price <= 0 or price % instrument.tick_size != 0:
        raise InvalidInputError(
            f"{name}: expected a positive multiple of {instrument.tick_size}, got {price}"
        )
    return f"{price:f}"
