"""Show orders, fills and positions as the rows that clients read."""

from datetime import datetime

from brokers.paper.exchange.orders import Order
from brokers.paper.exchange.positions import Position
from brokers.paper.exchange.store import FillRow

Row = dict[str, object]


def order_row(order: Order) -> Row:
    """Return an order as a row."""
    terms = order.terms
    return {
        "id": order_id(order.number),
        "client_order_id": order.client_order_id,
        "symbol": order.contract.symbol,
        "side": order.side.value,
        "type": terms.order_type.value,
        "time_in_force": terms.time_in_force.value,
        "quantity": str(terms.quantity),
        "price": None if terms.price is None else str(terms.price),
        "trigger_price": None if terms.trigger_price is None else str(terms.trigger_price),
        "filled": str(order.filled),
        "average_price": str(order.amount / order.filled) if order.filled else None,
        "status": order.status.value,
        "code": order.code,
        "reason": order.reason,
        "version": order.version,
        "updated_at": _time(order.updated_at),
    }


def fill_row(row: FillRow) -> Row:
    """Return a fill as a row."""
    return {
        "id": str(row.number),
        "order_id": order_id(row.order.number),
        "symbol": row.order.contract.symbol,
        "side": row.order.side.value,
        "quantity": str(row.fill.quantity),
        "price": str(row.fill.price),
        "fee": str(row.fee),
        "time": _time(row.time),
    }


def position_row(position: Position) -> Row:
    """Return a position as a row."""
    return {"symbol": position.symbol, "net": str(position.net), "cost": str(position.cost)}


def order_id(number: int) -> str:
    """Return the broker order id of an order number; as text it sorts like the number."""
    return f"{number:015d}"


def _time(instant: datetime) -> str:
    return instant.isoformat()
