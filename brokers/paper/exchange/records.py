"""Turn orders into stored text and back, exactly."""

import json
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from app.domain.instruments import InstrumentKind
from app.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from brokers.paper.exchange.orders import Contract, Order, Terms

_PLAIN = (str, int, bool, type(None))


def dump_order(order: Order) -> str:
    """Return an order as JSON text; numbers of money and quantity are strings."""
    flat = {field.name: getattr(order, field.name) for field in fields(Order)}
    for name in ("contract", "terms"):
        part = flat[name]
        flat[name] = {field.name: _plain(getattr(part, field.name)) for field in fields(part)}
    plain = {name: value if isinstance(value, dict) else _plain(value) for name, value in flat.items()}
    return json.dumps(plain)


@lru_cache(maxsize=16_384)
def load_order(text: str) -> Order:
    """Return the order that `dump_order` wrote; remembered, because every tick reads the working orders."""
    raw = json.loads(text)
    contract, terms = raw.pop("contract"), raw.pop("terms")
    return Order(
        contract=Contract(
            kind=InstrumentKind(contract.pop("kind")),
            tick_size=Decimal(contract.pop("tick_size")),
            lot_size=Decimal(contract.pop("lot_size")),
            **contract,
        ),
        terms=Terms(
            order_type=OrderType(terms["order_type"]),
            time_in_force=TimeInForce(terms["time_in_force"]),
            quantity=Decimal(terms["quantity"]),
            price=_optional(terms["price"]),
            trigger_price=_optional(terms["trigger_price"]),
        ),
        side=Side(raw.pop("side")),
        status=OrderStatus(raw.pop("status")),
        updated_at=datetime.fromisoformat(raw.pop("updated_at")),
        filled=Decimal(raw.pop("filled")),
        amount=Decimal(raw.pop("amount")),
        bound_px=Decimal(raw.pop("bound_px")),
        **raw,
    )


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, _PLAIN):
        return value
    return str(value)


def _optional(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
