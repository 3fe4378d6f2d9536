"""Describe orders and positions."""

from datetime import datetime
from typing import Any

from api.schemas.base import DecimalStr, Shown
from app.domain.markets import Currency
from app.domain.orders import OrderEventKind, OrderRole, OrderStatus, OrderType, Side


class OrderFacts(Shown):
    """Show what is the same wherever an order is shown."""

    id: int
    user_id: int
    account_id: int
    account_name: str
    user_name: str
    deployment_name: str
    client_order_id: str
    broker_order_id: str | None
    instrument_id: str
    side: Side
    role: OrderRole
    order_type: OrderType
    quantity: DecimalStr
    price: DecimalStr | None
    trigger_price: DecimalStr | None
    status: OrderStatus
    is_unknown: bool
    reject_reason: str
    ts_init: datetime


class Order(OrderFacts):
    """Show one order."""

    deployment_id: int
    filled_qty: DecimalStr
    avg_px: DecimalStr | None
    denial_code: str | None
    reason: str
    updated_at: datetime


class OrderEvent(Shown):
    """Show one thing that happened to an order; `wall` is the machine's time."""

    id: int
    kind: OrderEventKind
    source: str
    details: dict[str, Any]
    ts_init: datetime
    wall: datetime


class OrderWithEvents(Shown):
    """Show an order and its history, oldest first."""

    order: Order
    events: list[OrderEvent]


class Position(Shown):
    """Show one leg of a deployment with its value at the last mark, before fees, in `currency`."""

    deployment_id: int
    instrument_id: str
    user_id: int
    account_id: int
    account_name: str
    user_name: str
    deployment_name: str
    net_qty: DecimalStr
    entry_px: DecimalStr
    exit_reason: str | None
    exposed_since: datetime | None
    currency: Currency
    mark: DecimalStr | None
    realized: DecimalStr | None
    unrealized: DecimalStr | None
    total: DecimalStr | None
