"""Turn the messages of both user streams into our words; what is not understood raises ProtocolError."""

from collections.abc import Mapping

from app.domain.errors import ProtocolError
from app.domain.reports import OrderReport, PositionReport
from brokers.binance import algo, mapping
from brokers.binance.refs import OrderRef
from brokers.binance.values import (
    Row,
    amount,
    average,
    flag,
    milliseconds,
    moment,
    number,
    one_of,
    optional_amount,
    optional_text,
    whole,
)

Report = OrderReport | PositionReport

# News that is told elsewhere (balances are read, list orders are not placed by us) or says nothing new.
_SPOT_SILENT = frozenset({"outboundAccountPosition", "balanceUpdate", "listStatus", "externalLockUpdate"})
_FUTURES_SILENT = frozenset(
    {
        "TRADE_LITE",
        "MARGIN_CALL",
        "ACCOUNT_CONFIG_UPDATE",
        "STRATEGY_UPDATE",
        "GRID_UPDATE",
        "CONDITIONAL_ORDER_TRIGGER_REJECT",
    }
)
_ENDINGS = frozenset({"listenKeyExpired", "eventStreamTerminated", "serverShutdown"})
_SPOT_STOPS = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})


def ending(message: Row) -> str | None:
    """Return the name of a message that says that the stream is over, None for any other."""
    event = message.get("event")
    kind = (event if isinstance(event, Mapping) else message).get("e")
    return kind if isinstance(kind, str) and kind in _ENDINGS else None


def spot_reports(message: Row) -> tuple[Report, ...]:
    """Return the reports in one message of the spot user stream (WS API envelope). Source: brokers.md 2.9."""
    event = _object(message, "event")
    kind = optional_text(event, "e")
    if kind == "executionReport":
        return (_execution_report(event),)
    if kind in _SPOT_SILENT:
        return ()
    raise ProtocolError(f"e: expected an event of the spot user stream, got {kind!r:.60}")


def futures_reports(message: Row) -> tuple[Report, ...]:
    """Return the reports in one message of the futures user stream."""
    kind = optional_text(message, "e")
    if kind == "ORDER_TRADE_UPDATE":
        return (_order_trade_update(_object(message, "o")),)
    if kind == "ALGO_UPDATE":
        return (algo.event_report(_object(message, "o"), milliseconds(message, "T")),)
    if kind == "ACCOUNT_UPDATE":
        return _account_positions(_object(message, "a"))
    if kind in _FUTURES_SILENT:
        return ()
    raise ProtocolError(f"e: expected an event of the futures user stream, got {kind!r:.60}")


def _execution_report(event: Row) -> OrderReport:
    kind = one_of(event, "o", mapping.ORDER_TYPES)
    filled = amount(event, "z")
    quantity = max(amount(event, "q"), filled)
    status = mapping.order_status(
        one_of(event, "X", mapping.STATUSES),
        filled=filled,
        quantity=quantity,
        is_stop_on_book=kind in _SPOT_STOPS and "w" in event and flag(event, "w"),
    )
    ms = milliseconds(event, "T")
    name = mapping.symbol(event, "s")
    reason = optional_text(event, "r")
    return OrderReport(
        broker_order_id=OrderRef(name, whole(event, "i")).broker_order_id,
        # In the news of a cancel `c` is the request's id and `C` the order's own.
        tag=optional_text(event, "C") or optional_text(event, "c"),
        broker_symbol=name,
        side=mapping.SIDES[one_of(event, "S", mapping.SIDES)],
        quantity=quantity,
        filled=filled,
        avg_px=average(number(event, "Z"), filled),
        price=optional_amount(event, "p"),
        trigger_price=optional_amount(event, "P"),
        status=status,
        reject_reason="" if reason == "NONE" else reason,
        version=mapping.version(ms, status),
        updated_at=moment(ms),
    )


def _order_trade_update(order: Row) -> OrderReport:
    one_of(order, "o", mapping.ORDER_TYPES)
    filled = amount(order, "z")
    quantity = max(amount(order, "q"), filled)
    status = mapping.order_status(one_of(order, "X", mapping.STATUSES), filled=filled, quantity=quantity)
    ms = milliseconds(order, "T")
    name = mapping.symbol(order, "s")
    return OrderReport(
        broker_order_id=OrderRef(name, whole(order, "i")).broker_order_id,
        tag=optional_text(order, "c"),
        broker_symbol=name,
        side=mapping.SIDES[one_of(order, "S", mapping.SIDES)],
        quantity=quantity,
        filled=filled,
        avg_px=optional_amount(order, "ap"),
        price=optional_amount(order, "p"),
        trigger_price=optional_amount(order, "sp"),
        status=status,
        reject_reason=_reject_reason(order) if status.is_terminal else "",
        version=mapping.version(ms, status),
        updated_at=moment(ms),
    )


def _reject_reason(order: Row) -> str:
    return "rejected by the matching engine" if order.get("X") == "REJECTED" else ""


def _account_positions(account: Row) -> tuple[PositionReport, ...]:
    rows = account.get("P", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProtocolError(f"P: expected a list of objects, got {type(rows).__name__}")
    return tuple(
        PositionReport(broker_symbol=mapping.symbol(row, "s"), net_qty=number(row, "pa"))
        for row in rows
        # In hedge mode a symbol has two sides, and one message need not hold both: the read tells the net.
        if one_of(row, "ps", ("BOTH", "LONG", "SHORT")) == "BOTH"
    )


def _object(row: Row, key: str) -> Row:
    found = row.get(key)
    if not isinstance(found, dict):
        raise ProtocolError(f"{key}: expected an object, got {type(found).__name__}")
    return found
