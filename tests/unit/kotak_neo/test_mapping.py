"""Kotak's payloads become our words, or a typed error."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import ProtocolError
from app.domain.ids import BrokerOrderId
from app.domain.orders import OrderStatus, Side
from app.domain.reports import FillReport, OrderReport, PositionReport
from brokers.kotak_neo import mapping
from tests.unit.kotak_neo.payloads import ORDER_ROW, POSITION_ROW, TRADE_ROW


def test_reads_the_documented_order() -> None:
    report = mapping.order_report(ORDER_ROW)

    assert report == OrderReport(
        broker_order_id=BrokerOrderId("250122000612876"),
        tag="",
        broker_symbol="IDEA-EQ",
        side=Side.BUY,
        quantity=Decimal(1),
        filled=Decimal(0),
        avg_px=None,
        price=Decimal("9.39"),
        trigger_price=None,
        status=OrderStatus.ACCEPTED,
        reject_reason="",
        version=1737536281933015920,
        updated_at=datetime(2025, 1, 22, 8, 58, 1, 933015, tzinfo=UTC),
    )


def test_reads_the_documented_trade() -> None:
    fill = mapping.fill_report(TRADE_ROW)

    assert fill.trade_id == "250122000612876-207983744"
    assert (fill.quantity, fill.price) == (Decimal(1), Decimal("9.39"))
    assert fill.ts_event == datetime(2025, 1, 22, 8, 58, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "filled", "status"),
    [
        ("put order req received", 0, OrderStatus.SUBMITTED),
        ("validation pending", 0, OrderStatus.SUBMITTED),
        ("open pending", 0, OrderStatus.SUBMITTED),
        ("open", 0, OrderStatus.ACCEPTED),
        ("trigger pending", 0, OrderStatus.ACCEPTED),
        ("modified", 0, OrderStatus.ACCEPTED),
        ("not modified", 0, OrderStatus.ACCEPTED),
        ("not cancelled", 0, OrderStatus.ACCEPTED),
        ("open", 40, OrderStatus.PARTIALLY_FILLED),
        ("open", 65, OrderStatus.FILLED),
        ("complete", 65, OrderStatus.FILLED),
        ("complete", 40, OrderStatus.PARTIALLY_FILLED),
        ("complete", 0, OrderStatus.ACCEPTED),
        ("modify validation pending", 0, OrderStatus.PENDING_UPDATE),
        ("modify pending", 40, OrderStatus.PENDING_UPDATE),
        ("cancel pending", 40, OrderStatus.PENDING_CANCEL),
        ("rejected", 0, OrderStatus.REJECTED),
        ("cancelled", 40, OrderStatus.CANCELED),
        ("cancelled after market order", 0, OrderStatus.CANCELED),
        ("Complete ", 65, OrderStatus.FILLED),
        ("after market order req received", 0, OrderStatus.SUBMITTED),
    ],
)
def test_maps_every_known_status(text: str, filled: int, status: OrderStatus) -> None:
    assert mapping.order_status(text, filled=Decimal(filled), quantity=Decimal(65)) is status


@given(st.text(), st.integers(0, 64))
def test_never_takes_unknown_status_text_for_an_end(text: str, filled: int) -> None:
    known_ends = {"rejected", "cancelled", "cancelled after market order"}
    status = mapping.order_status(text, filled=Decimal(filled), quantity=Decimal(65))

    assert status.is_terminal == (text.strip().lower() in known_ends)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trnsTp", "Buy"),
        ("trnsTp", ""),
        ("exSeg", "nyse"),
        ("prcTp", "ICEBERG"),
        ("ordSt", ""),
        ("nOrdNo", None),
        ("qty", 0),
        ("qty", "NaN"),
        ("qty", True),
        ("qty", 1.5),
        ("fldQty", 2),
        ("fldQty", -1),
        ("avgPrc", "-3"),
        ("updRecvTm", 0),
        ("updRecvTm", "soon"),
        ("updRecvTm", 10**30),
    ],
)
def test_raises_on_a_value_that_is_not_understood(field: str, value: object) -> None:
    with pytest.raises(ProtocolError, match=field if field != "qty" else "qty|fldQty"):
        mapping.order_report({**ORDER_ROW, field: value})


def test_parks_the_rows_that_are_not_understood() -> None:
    reports, parked = mapping.order_reports([{**ORDER_ROW, "prcTp": "ICEBERG"}, ORDER_ROW])

    assert reports == (mapping.order_report(ORDER_ROW),)
    assert [reason.partition(":")[0] for reason in parked] == ["prcTp"]


def test_a_book_without_a_row_that_is_understood_is_an_error() -> None:
    assert mapping.order_reports([]) == ((), ())
    with pytest.raises(ProtocolError, match="none of 1 rows"):
        mapping.order_reports([{**ORDER_ROW, "exSeg": "moon"}])


def test_nets_the_products_of_one_symbol() -> None:
    carried = {**POSITION_ROW, "prod": "NRML", "cfSellQty": "0", "flBuyQty": "0", "flSellQty": "195"}

    (position,) = mapping.net_positions([POSITION_ROW, carried])

    assert position == PositionReport(broker_symbol="NIFTY2620326500CE", net_qty=Decimal(-130))


def test_reads_money_from_the_limits() -> None:
    balance = mapping.balance({"Net": "99998.50", "MarginUsed": "1.50", "Category": "X"})

    assert (balance.available, balance.used) == (Decimal("99998.50"), Decimal("1.50"))


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["NA", "--", "B", "S", "nse_fo", "L", "1e400", "0.05", "22-Jan-2025", "31-Feb-2025"]),
    st.lists(st.integers(), max_size=2),
)


@st.composite
def damaged(draw: st.DrawFn, row: Mapping[str, object]) -> dict[str, object]:
    changed = dict(row)
    for key in draw(st.sets(st.sampled_from(sorted(row)), max_size=4)):
        changed[key] = draw(JUNK)
    for key in draw(st.sets(st.sampled_from(sorted(row)), max_size=2)):
        changed.pop(key)
    return changed


@given(damaged(ORDER_ROW))
def test_any_order_row_gives_a_report_or_a_typed_error(row: dict[str, object]) -> None:
    try:
        report = mapping.order_report(row)
    except ProtocolError:
        return
    assert isinstance(report, OrderReport)
    assert 0 <= report.filled <= report.quantity


@given(damaged(TRADE_ROW))
def test_any_trade_row_gives_a_fill_or_a_typed_error(row: dict[str, object]) -> None:
    try:
        fill = mapping.fill_report(row)
    except ProtocolError:
        return
    assert isinstance(fill, FillReport)
    assert fill.quantity > 0
    assert fill.price > 0


@given(damaged(POSITION_ROW))
def test_any_position_row_gives_a_position_or_a_typed_error(row: dict[str, object]) -> None:
    try:
        position = mapping.position_report(row)
    except ProtocolError:
        return
    assert position.net_qty.is_finite()
