"""Describe orders and positions."""

from datetime import datetime
from typing import Any

from api.schemas.base import DecimalStr, Shown
from app.domain.baskets import BasketResult
from app.domain.markets import Currency
from app.domain.orders import OrderEventKind, OrderRole, OrderStatus, OrderType, Side
from app.services.pnl import MarkSource


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


class LegOutcome(Shown):
    """Show what became of one leg of a signal: how much was wished and filled, what is held of it now.

    `withheld` says why a part of it was never sent.
    """

    leg: int
    is_hedge: bool
    instrument_id: str
    side: Side
    quantity: DecimalStr
    filled_qty: DecimalStr
    net_qty: DecimalStr
    exit_reason: str | None
    withheld: str | None


class OrderWithEvents(Shown):
    """Show an order and its history, oldest first; of an entry also how the legs of its signal ended.

    `result` is None while that is open.
    """

    order: Order
    events: list[OrderEvent]
    result: BasketResult | None
    legs: list[LegOutcome]


class Position(Shown):
    """Show one leg of a deployment with its value in `currency`.

    `total` is before charges, `net` after those in the same currency.
    """

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
    mark_source: MarkSource
    realized: DecimalStr | None
    unrealized: DecimalStr | None
    total: DecimalStr | None
    charges: DecimalStr
    net: DecimalStr | None
