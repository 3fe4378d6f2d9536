"""Turn the exchange's rows into our reports. Pure; a value that is not understood raises ProtocolError."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeVar

from app.domain.errors import ProtocolError
from app.domain.ids import BrokerOrderId, TradeId
from app.domain.orders import OrderStatus, Side
from app.domain.reports import Balance, FillReport, OrderReport, PositionReport

E = TypeVar("E", bound=StrEnum)
Row = Mapping[str, object]


def order_report(row: Row) -> OrderReport:
    """Return an order row as a report."""
    quantity, filled = _number(row, "quantity"), _number(row, "filled")
    if not 0 <= filled <= quantity or quantity == 0:
        raise ProtocolError(
            f"order {row.get('id')}: expected 0 <= filled <= quantity, got {filled} of {quantity}"
        )
    return OrderReport(
        broker_order_id=BrokerOrderId(text(row, "id")),
        tag=text(row, "client_order_id"),
        broker_symbol=text(row, "symbol"),
        side=_choice(Side, row, "side"),
        quantity=quantity,
        filled=filled,
        avg_px=_optional_number(row, "average_price"),
        price=_optional_number(row, "price"),
        trigger_price=_optional_number(row, "trigger_price"),
        status=_choice(OrderStatus, row, "status"),
        reject_reason=_any_text(row, "reason"),
        version=whole(row, "version"),
        updated_at=instant(row, "updated_at"),
    )


def fill_report(row: Row) -> FillReport:
    """Return a fill row as a report."""
    quantity, price = _number(row, "quantity"), _number(row, "price")
    if quantity <= 0 or price <= 0:
        raise ProtocolError(f"fill {row.get('id')}: expected a positive fill, got {quantity} at {price}")
    return FillReport(
        trade_id=TradeId(text(row, "id")),
        broker_order_id=BrokerOrderId(text(row, "order_id")),
        broker_symbol=text(row, "symbol"),
        side=_choice(Side, row, "side"),
        quantity=quantity,
        price=price,
        ts_event=instant(row, "time"),
    )


def position_report(row: Row) -> PositionReport:
    """Return a position row as a report."""
    return PositionReport(broker_symbol=text(row, "symbol"), net_qty=_number(row, "net"))


def balance(row: Row) -> Balance:
    """Return the balance in the account's currency."""
    return Balance(available=_number(row, "available"), used=_number(row, "used"))


def rows(body: Row, name: str) -> Sequence[Row]:
    """Return the rows of a list read."""
    found = body.get(name)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ProtocolError(f"{name}: expected a list of objects, got {found!r:.60}")
    return found


def part(body: Row, name: str) -> Row:
    """Return an object inside a reply."""
    found = body.get(name)
    if not isinstance(found, dict):
        raise ProtocolError(f"{name}: expected an object, got {found!r:.60}")
    return found


def text(row: Row, name: str) -> str:
    """Return a text."""
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise ProtocolError(f"{name}: expected text, got {value!r:.60}")
    return value


def flag(row: Row, name: str) -> bool:
    """Return true or false."""
    value = row.get(name)
    if not isinstance(value, bool):
        raise ProtocolError(f"{name}: expected true or false, got {value!r:.60}")
    return value


def whole(row: Row, name: str) -> int:
    """Return a whole number of zero or more."""
    value = row.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ProtocolError(f"{name}: expected a whole number, got {value!r:.60}")
    return value


def instant(row: Row, name: str) -> datetime:
    """Return an instant, UTC."""
    raw = text(row, name)
    try:
        value = datetime.fromisoformat(raw)
    except ValueError as e:
        raise ProtocolError(f"{name}: expected ISO 8601, got {raw[:40]!r}") from e
    if value.tzinfo is None:
        raise ProtocolError(f"{name}: expected a time with a zone, got {raw[:40]!r}")
    return value.astimezone(UTC)


def _any_text(row: Row, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise ProtocolError(f"{name}: expected text, got {value!r:.60}")
    return value


def _choice(kind: type[E], row: Row, name: str) -> E:
    value = text(row, name)
    try:
        return kind(value)
    except ValueError as e:
        raise ProtocolError(f"{name}: expected one of {', '.join(kind)}, got {value[:40]!r}") from e


def _number(row: Row, name: str) -> Decimal:
    value = text(row, name)
    try:
        number = Decimal(value)
    except InvalidOperation as e:
        raise ProtocolError(f"{name}: expected a number, got {value[:40]!r}") from e
    if not number.is_finite():
        raise ProtocolError(f"{name}: expected a finite number, got {value[:40]!r}")
    return number


def _optional_number(row: Row, name: str) -> Decimal | None:
    return None if row.get(name) is None else _number(row, name)
