"""Turn Kotak's payloads into our words. Pure; a value that is not understood raises ProtocolError."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from app.domain.errors import ProtocolError
from app.domain.ids import BrokerOrderId, TradeId
from app.domain.instruments import Instrument
from app.domain.market_data import Tick
from app.domain.orders import OrderStatus, Side
from app.domain.reports import Balance, FillReport, OrderReport, PositionReport

IST = ZoneInfo("Asia/Kolkata")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NULLS = frozenset({"", "NA", "--", "-"})
_SIDES = {"B": Side.BUY, "S": Side.SELL}
_SEGMENTS = frozenset(
    {"nse_cm", "bse_cm", "nse_fo", "bse_fo", "mcx_fo", "cde_fo", "nse_com", "bse_cd", "bse_co", "ncd_co"}
)
# "LMT" is the order feed's word; the last four belong to orders that a person placed in Kotak's app.
_PRICE_TYPES = frozenset({"L", "LMT", "MKT", "SL", "SL-M", "SP", "2L", "3L", "BO"})

_RESTING = frozenset({"open", "modified", "not modified", "not cancelled", "trigger pending"})
_ENDS = {
    "rejected": OrderStatus.REJECTED,
    "cancelled": OrderStatus.CANCELED,
    "cancelled after market order": OrderStatus.CANCELED,
}
_IN_FLIGHT = {
    "cancel pending": OrderStatus.PENDING_CANCEL,
    "modify pending": OrderStatus.PENDING_UPDATE,
    "modify validation pending": OrderStatus.PENDING_UPDATE,
    "modify after market order req received": OrderStatus.PENDING_UPDATE,
}
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}
_FILL_TIME = re.compile(r"(\d{1,2})-([A-Z][a-z]{2})-(\d{4}) (\d{2}):(\d{2}):(\d{2})", re.ASCII)

Row = Mapping[str, object]


def order_report(row: Row) -> OrderReport:
    """Return an order-book row or an order-feed update as a report.

    Source: brokers.md 1.6 and 1.7; Kotak's `docs/functions/orders/order_report.md`.
    """
    _one_of(row, "exSeg", _SEGMENTS)
    _one_of(row, "prcTp", _PRICE_TYPES)
    quantity, filled = _number(row, "qty"), _number(row, "fldQty")
    if not 0 <= filled <= quantity or quantity == 0:
        raise ProtocolError(
            f"order {row.get('nOrdNo')}: expected 0 <= fldQty <= qty, got {filled} of {quantity}"
        )
    version = int(_whole(row, "updRecvTm"))
    return OrderReport(
        broker_order_id=BrokerOrderId(_text(row, "nOrdNo")),
        tag=_optional_text(row, "GuiOrdId"),
        broker_symbol=_text(row, "trdSym"),
        side=_SIDES[_one_of(row, "trnsTp", _SIDES)],
        quantity=quantity,
        filled=filled,
        avg_px=_positive_or_none(row, "avgPrc"),
        price=_positive_or_none(row, "prc"),
        trigger_price=_positive_or_none(row, "trgPrc"),
        status=order_status(_text(row, "ordSt"), filled=filled, quantity=quantity),
        reject_reason=_optional_text(row, "rejRsn"),
        version=version,
        updated_at=_from_ns(version),
    )


def order_reports(rows: Iterable[Row]) -> tuple[tuple[OrderReport, ...], tuple[str, ...]]:
    """Return a book's orders, and why each row that is not understood was parked.

    One strange order, placed by hand perhaps, must not hide all the others; but a book with a parked row
    proves no order absent.

    Raises:
        ProtocolError: there are rows, and none of them is understood.
    """
    reports, parked = [], []
    for row in rows:
        try:
            reports.append(order_report(row))
        except ProtocolError as e:
            parked.append(str(e))
    if parked and not reports:
        raise ProtocolError(f"order book: none of {len(parked)} rows is understood: {parked[0]}")
    return tuple(reports), tuple(parked)


def order_status(text: str, *, filled: Decimal, quantity: Decimal) -> OrderStatus:
    """Return our status for Kotak's `ordSt` text; text that is not known means working, unconfirmed.

    Kotak has no "partially filled": it shows in the quantities. "complete" with a fill count that lags
    is believed only as far as the count goes.
    Source: brokers.md 1.6.
    """
    word = text.strip().lower()
    if word in _ENDS:
        return _ENDS[word]
    if word in _IN_FLIGHT:
        return _IN_FLIGHT[word]
    if filled == quantity:
        return OrderStatus.FILLED
    if filled > 0:
        return OrderStatus.PARTIALLY_FILLED
    return OrderStatus.ACCEPTED if word in _RESTING or word == "complete" else OrderStatus.SUBMITTED


def fill_report(row: Row) -> FillReport:
    """Return a trade row as a fill; `flId` alone is not unique, the order number makes it so.

    Source: brokers.md 1.7; Kotak's `docs/functions/orders/trade_report.md`.
    """
    _one_of(row, "exSeg", _SEGMENTS)
    quantity, price = _number(row, "fldQty"), _number(row, "avgPrc")
    if quantity <= 0 or price <= 0:
        raise ProtocolError(f"trade {row.get('flId')}: expected a positive fill, got {quantity} at {price}")
    order_id = _text(row, "nOrdNo")
    return FillReport(
        trade_id=TradeId(f"{order_id}-{_text(row, 'flId')}"),
        broker_order_id=BrokerOrderId(order_id),
        broker_symbol=_text(row, "trdSym"),
        side=_SIDES[_one_of(row, "trnsTp", _SIDES)],
        quantity=quantity,
        price=price,
        ts_event=_fill_time(row),
    )


def position_report(row: Row) -> PositionReport:
    """Return a position row as the net of carried-forward and today's quantities, in units."""
    _one_of(row, "exSeg", _SEGMENTS)
    bought = _number(row, "cfBuyQty") + _number(row, "flBuyQty")
    sold = _number(row, "cfSellQty") + _number(row, "flSellQty")
    return PositionReport(broker_symbol=_text(row, "trdSym"), net_qty=bought - sold)


def net_positions(rows: Iterable[Row]) -> tuple[PositionReport, ...]:
    """Return one position per symbol: Kotak lists each product (MIS, NRML) on its own."""
    net: dict[str, Decimal] = {}
    for report in map(position_report, rows):
        net[report.broker_symbol] = net.get(report.broker_symbol, Decimal(0)) + report.net_qty
    return tuple(PositionReport(broker_symbol=symbol, net_qty=qty) for symbol, qty in net.items())


def first_tag(rows: Iterable[Row], broker_order_id: BrokerOrderId) -> str | None:
    """Return the tag of the oldest version in an order's history ("" for none), None without versions.

    Source: brokers.md 1.8: only the oldest row keeps the tag that the client gave.
    """
    versions: list[tuple[Decimal, str]] = []
    for row in rows:
        if _text(row, "nOrdNo") != broker_order_id:
            raise ProtocolError(f"history of {broker_order_id}: got a row of {row.get('nOrdNo')!r:.40}")
        versions.append((_whole(row, "updRecvTm"), _optional_text(row, "GuiOrdId")))
    return min(versions)[1] if versions else None


def balance(body: Row) -> Balance:
    """Return the limits reply as money that is free and money that is bound."""
    return Balance(available=_number(body, "Net"), used=_number(body, "MarginUsed"))


def egress_address(rows: Iterable[Row]) -> str:
    """Return the source address that the broker saw."""
    for row in rows:
        return _text(row, "ip")
    raise ProtocolError("data: expected one row with the address, got none")


def quote(rows: Iterable[Row], instrument: Instrument, *, now: datetime) -> Tick | None:
    """Return an instrument's row of a quote read as a tick, None before its first trade.

    Source: Kotak's `docs/functions/market_data/quotes.md`; an empty side of the book has no rows.
    """
    found = [row for row in rows if row.get("exchange_token") == instrument.broker_token]
    if len(found) != 1:
        raise ProtocolError(f"expected one quote of {instrument.broker_token}, got {len(found)}")
    last, depth = _positive_or_none(found[0], "ltp"), found[0].get("depth")
    if last is None or not isinstance(depth, Mapping):
        return None
    return Tick(
        instrument_id=instrument.instrument_id,
        last=last,
        bid=_best(depth.get("buy")),
        ask=_best(depth.get("sell")),
        ts_event=now,
        ts_init=now,
        sequence=0,
    )


def _best(levels: object) -> Decimal | None:
    first = levels[0] if isinstance(levels, list) and levels else None
    return _positive_or_none(first, "price") if isinstance(first, Mapping) else None


def _one_of(row: Row, key: str, allowed: Iterable[str]) -> str:
    value = _text(row, key)
    if value not in allowed:
        raise ProtocolError(f"{key}: expected one of {', '.join(sorted(allowed))}, got {value[:40]!r}")
    return value


def _text(row: Row, key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or value.strip() in _NULLS:
        raise ProtocolError(f"{key}: expected text, got {value!r:.60}")
    return value.strip()


def _optional_text(row: Row, key: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ProtocolError(f"{key}: expected text or nothing, got {value!r:.60}")
    return "" if value.strip() in _NULLS else value.strip()


def _number(row: Row, key: str) -> Decimal:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ProtocolError(f"{key}: expected a number, got {value!r:.60}")
    try:
        number = Decimal(value)
    except InvalidOperation as e:
        raise ProtocolError(f"{key}: expected a number, got {value!r:.60}") from e
    if not number.is_finite():
        raise ProtocolError(f"{key}: expected a finite number, got {value!r:.60}")
    return number


def _whole(row: Row, key: str) -> Decimal:
    number = _number(row, key)
    # 10**20 ns is the year 5138: what is beyond cannot be a time.
    if not 0 < number < 10**20 or number != number.to_integral_value():
        raise ProtocolError(f"{key}: expected nanoseconds since 1970, got {row.get(key)!r:.60}")
    return number


def _positive_or_none(row: Row, key: str) -> Decimal | None:
    value = row.get(key)
    if value is None or (isinstance(value, str) and value.strip() in _NULLS):
        return None
    number = _number(row, key)
    if number < 0:
        raise ProtocolError(f"{key}: expected zero or more, got {number}")
    return number or None


def _from_ns(ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=ns // 1000)


def _fill_time(row: Row) -> datetime:
    text = f"{_text(row, 'flDt')} {_text(row, 'flTm')}"
    match = _FILL_TIME.fullmatch(text)
    if match is None or match[2] not in _MONTHS:
        raise ProtocolError(f"flDt flTm: expected like '22-Jan-2025 14:28:16', got {text[:60]!r}")
    day, year, hour, minute, second = (int(match[i]) for i in (1, 3, 4, 5, 6))
    try:
        local = datetime(year, _MONTHS[match[2]], day, hour, minute, second, tzinfo=IST)
    except ValueError as e:
        raise ProtocolError(f"flDt flTm: expected a time of the calendar, got {text[:60]!r}") from e
    return local.astimezone(UTC)
