"""Say what a broker says of our orders."""

from datetime import datetime
from decimal import Decimal

from app.db.models import OrderRow
from app.domain.ids import BrokerOrderId
from app.domain.orders import OrderStatus, Side
from app.domain.reports import OrderReport


def filled(order: OrderRow, quantity: Decimal, *, at: datetime) -> OrderReport:
    """Report that an order is filled by this quantity and ended."""
    return OrderReport(
        broker_order_id=BrokerOrderId(str(order.broker_order_id)),
        tag=order.client_order_id,
        broker_symbol="",
        side=Side(order.side),
        quantity=quantity,
        filled=quantity,
        avg_px=Decimal(50),
        price=None,
        trigger_price=None,
        status=OrderStatus.FILLED,
        reject_reason="",
        version=order.venue_version + 1,
        updated_at=at,
    )
