"""Write OpenAlgo's replies from what the ledger knows. Amounts are text, so that they stay exact."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from api.schemas.base import plain
from api.schemas.trading import Position
from app.amibroker.symbols import name_of
from app.domain.numbers import ZERO
from app.domain.orders import OrderStatus
from app.domain.phases import INDIA
from app.domain.targets import MoveKind
from app.services.external_signals import Answer

Reply = dict[str, Any]
_PRODUCT = "MIS"


def error(message: str) -> Reply:
    """Return the shape of every fault."""
    return {"status": "error", "message": message}


def taken(answer: Answer) -> Reply:
    """Return the reply to an order: its id is the signal's, and says nothing about the venue yet."""
    if answer.code is not None:
        return {
            **error(f"{answer.code}: {answer.message}. {answer.remedy}"),
            "orderid": str(answer.signal.id),
        }
    reply = {"status": "success", "orderid": str(answer.signal.id)}
    if answer.signal.outcome is MoveKind.NOTHING:
        return {**reply, "message": "Positions Already Matched. No Action needed."}
    return reply


def order_data(answer: Answer, positions: Sequence[Position]) -> Reply:
    """Return one order as orderstatus and orderbook show it; its slices count as one."""
    signal = answer.signal
    filled = sum((order.filled_qty for order in answer.orders), ZERO)
    value = sum((order.filled_qty * (order.avg_px or ZERO) for order in answer.orders), ZERO)
    symbol, exchange = ("", "") if signal.instrument_id is None else name_of(signal.instrument_id)
    action = signal.wish.get("side") or signal.side or ""
    return {
        "orderid": str(signal.id),
        "symbol": symbol,
        "exchange": exchange,
        "action": action,
        "product": _PRODUCT,
        "pricetype": "MARKET",
        "quantity": plain(signal.quantity or ZERO),
        "filled_quantity": plain(filled),
        "average_price": plain(round(value / filled, 4) if filled else ZERO),
        "price": "0",
        "trigger_price": "0",
        "order_status": _status(answer, positions),
        "rejection_reason": "" if answer.code is None else f"{answer.code}: {answer.message}",
        "timestamp": f"{signal.ts_init.astimezone(INDIA):%d-%b-%Y %H:%M:%S}",
    }


def order_book(orders: Iterable[Reply]) -> Reply:
    """Return the orderbook with its counts."""
    rows = list(orders)
    statuses = [row["order_status"] for row in rows]
    actions = [row["action"] for row in rows]
    return {
        "orders": rows,
        "statistics": {
            "total_buy_orders": actions.count("BUY"),
            "total_sell_orders": actions.count("SELL"),
            "total_completed_orders": statuses.count("complete"),
            "total_open_orders": statuses.count("open"),
            "total_rejected_orders": statuses.count("rejected"),
        },
    }


def position_row(position: Position) -> Reply:
    """Return one position; profit is before charges."""
    symbol, exchange = name_of(position.instrument_id)
    return {
        "symbol": symbol,
        "exchange": exchange,
        "product": _PRODUCT,
        "quantity": plain(position.net_qty),
        "average_price": plain(round(position.entry_px, 4)),
        "ltp": _known(position.mark),
        "pnl": _known(position.total),
    }


def _known(value: Decimal | None) -> str:
    return "" if value is None else plain(value)


def _status(answer: Answer, positions: Sequence[Position]) -> str:
    match answer.signal.outcome:
        case MoveKind.REFUSED:
            return "rejected"
        case MoveKind.NOTHING:
            return "complete"
        case MoveKind.EXIT:
            name = answer.signal.instrument_id
            is_held = any(p.net_qty != 0 for p in positions if name in (None, p.instrument_id))
            return "open" if is_held else "complete"
        case MoveKind.ENTER:
            return _status_of_entry([order.status for order in answer.orders])


def _status_of_entry(statuses: Sequence[OrderStatus]) -> str:
    if not all(status.is_terminal for status in statuses):
        return "open"
    if OrderStatus.FILLED in statuses:
        return "complete"
    is_refused = any(status in (OrderStatus.DENIED, OrderStatus.REJECTED) for status in statuses)
    return "rejected" if is_refused else "cancelled"
