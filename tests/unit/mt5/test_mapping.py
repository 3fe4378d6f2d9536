"""The terminal's records become our words, or a typed error."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import BrokerError, ProtocolError, UnavailableError
from app.domain.ids import BrokerOrderId, TradeId
from app.domain.markets import Currency, Money
from app.domain.orders import OrderStatus, Side
from app.domain.reports import FillReport, OrderReport, PositionReport
from brokers.mt5 import mapping
from brokers.mt5.books import read_books
from brokers.mt5.instruments import instrument, instruments
from brokers.mt5.mapping import STATUSES, OrderState, Sizes
from brokers.mt5.server_time import ServerClock
from brokers.mt5.time_notes import note_time
from brokers.mt5.values import parse_json
from tests.unit.mt5.payloads import DEAL_ROW, JUNK, ORDER_ROW, POSITION_ROW, SYMBOL_ROW, damaged

SIZES = Sizes(by_symbol={"EURUSD": Decimal(100_000)})
DAY = datetime(2014, 5, 5, 21, 0, tzinfo=UTC)
BOOKS: Mapping[str, object] = {
    "connected": True,
    "contract_sizes": {"EURUSD": "100000.0"},
    "orders": [],
    "history": [{**ORDER_ROW, "state": 4, "volume_current": "0.0", "time_done_msc": 1_399_377_600_500}],
    "deals": [DEAL_ROW],
    "positions": [POSITION_ROW],
}


def server_clock() -> ServerClock:
    clock = ServerClock()
    clock.set_offset(timedelta(hours=3))
    return clock


def report(row: Mapping[str, object], avg_px: Decimal | None = None) -> OrderReport:
    return mapping.order_report(row, sizes=SIZES, clock=server_clock(), avg_px=avg_px)


def test_reads_a_working_order_in_units_and_utc() -> None:
    assert report(ORDER_ROW) == OrderReport(
        broker_order_id=BrokerOrderId("500000001"),
        tag="ob0123456789abcdef",
        broker_symbol="EURUSD",
        side=Side.BUY,
        quantity=Decimal(3000),
        filled=Decimal(0),
        avg_px=None,
        price=Decimal("1.39"),
        trigger_price=None,
        status=OrderStatus.ACCEPTED,
        reject_reason="",
        version=1_764_000_000_000,
        updated_at=datetime(2014, 5, 6, 9, 0, tzinfo=UTC),
    )


def test_reads_a_deal_as_a_fill() -> None:
    fill = mapping.fill_report(DEAL_ROW, sizes=SIZES, clock=server_clock())

    assert fill == FillReport(
        trade_id=TradeId("700000001"),
        broker_order_id=BrokerOrderId("500000001"),
        broker_symbol="EURUSD",
        side=Side.BUY,
        quantity=Decimal(3000),
        price=Decimal("1.39213"),
        ts_event=datetime(2014, 5, 6, 9, 0, 0, 500_000, tzinfo=UTC),
    )


@pytest.mark.parametrize("kind", range(2, 19))
def test_money_that_moved_is_no_fill(kind: int) -> None:
    row = {**DEAL_ROW, "type": kind, "order": 0, "volume": "0.0", "symbol": ""}

    assert mapping.fill_report(row, sizes=SIZES, clock=server_clock()) is None


def test_a_deal_tells_what_the_nights_took_and_none_without_any() -> None:
    def swap(value: str) -> Money | None:
        body = {**BOOKS, "account": {"currency": "USD"}, "deals": [{**DEAL_ROW, "swap": value}]}
        [told] = read_books(body, clock=server_clock(), since=DAY).fills
        return told.swap

    assert swap("-1.24") == Money(amount=Decimal("1.24"), currency=Currency("USD"))
    assert swap("0.5") == Money(amount=Decimal("-0.5"), currency=Currency("USD"))
    assert swap("0.0") is None
    [untold] = read_books(BOOKS, clock=server_clock(), since=DAY).fills
    assert untold.swap is None


def test_a_deal_tells_what_the_broker_took_in_the_accounts_currency() -> None:
    paid = {**DEAL_ROW, "commission": "-0.35", "fee": "-0.05"}
    given = {**DEAL_ROW, "commission": "0.1"}
    body = {**BOOKS, "account": {"currency": "EUR"}, "deals": [paid]}

    [told] = read_books(body, clock=server_clock(), since=DAY).fills
    rebate = mapping.fill_report(given, sizes=SIZES, clock=server_clock(), currency=Currency("USD"))
    [untold] = read_books({**BOOKS, "deals": [paid]}, clock=server_clock(), since=DAY).fills

    assert told.fee == Money(amount=Decimal("0.40"), currency=Currency("EUR"))
    assert rebate is not None
    assert rebate.fee == Money(amount=Decimal("-0.1"), currency=Currency("USD"))
    assert untold.fee is None


def test_every_state_has_a_status() -> None:
    assert set(STATUSES) == set(OrderState)


@pytest.mark.parametrize(
    ("state", "filled", "is_done", "status"),
    [
        (0, "0", False, OrderStatus.SUBMITTED),
        (1, "0", False, OrderStatus.ACCEPTED),
        (1, "0.01", False, OrderStatus.PARTIALLY_FILLED),
        (2, "0", True, OrderStatus.CANCELED),
        (2, "0.01", True, OrderStatus.CANCELED),
        (3, "0.01", False, OrderStatus.PARTIALLY_FILLED),
        (3, "0.01", True, OrderStatus.CANCELED),
        (4, "0.03", True, OrderStatus.FILLED),
        (4, "0.01", True, OrderStatus.CANCELED),
        (4, "0.01", False, OrderStatus.PARTIALLY_FILLED),
        (5, "0", True, OrderStatus.REJECTED),
        (6, "0", True, OrderStatus.EXPIRED),
        (7, "0", False, OrderStatus.SUBMITTED),
        (8, "0", False, OrderStatus.PENDING_UPDATE),
        (9, "0", False, OrderStatus.PENDING_CANCEL),
        (9, "0.03", False, OrderStatus.FILLED),
    ],
)
def test_maps_every_state(state: int, filled: str, status: OrderStatus, *, is_done: bool) -> None:
    found = mapping.order_status(state, initial=Decimal("0.03"), filled=Decimal(filled), is_done=is_done)

    assert found is status


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", 9),
        ("type", -1),
        ("state", 10),
        ("ticket", 0),
        ("ticket", True),
        ("volume_initial", "0"),
        ("volume_initial", "NaN"),
        ("volume_current", "0.04"),
        ("volume_current", "-0.01"),
        ("symbol", ""),
        ("symbol", "GBPUSD"),
        ("time_setup_msc", 0),
        ("time_setup_msc", 10**15),
        ("magic", "1"),
        ("revision", None),
    ],
)
def test_raises_on_a_value_that_is_not_understood(field: str, value: object) -> None:
    with pytest.raises(ProtocolError):
        report({**ORDER_ROW, field: value})


def test_nets_the_positions_of_a_hedging_account() -> None:
    rows = [POSITION_ROW, {**POSITION_ROW, "ticket": 2, "type": 0, "volume": "0.05"}]

    assert mapping.net_positions(rows, sizes=SIZES) == (
        PositionReport(broker_symbol="EURUSD", net_qty=Decimal(2000)),
    )


def test_books_are_whole_when_their_parts_agree() -> None:
    books = read_books(BOOKS, clock=server_clock(), since=DAY)

    assert books.is_whole
    assert books.orders[0].status is OrderStatus.FILLED
    assert books.orders[0].avg_px == Decimal("1.39213")


@pytest.mark.parametrize(
    "changes",
    [
        {"connected": False},
        {"history": []},
        {"deals": []},
        {"history": [], "deals": []},
    ],
)
def test_books_whose_parts_disagree_prove_nothing(changes: dict[str, object]) -> None:
    assert not read_books({**BOOKS, **changes}, clock=server_clock(), since=DAY).is_whole


def test_yesterdays_orders_and_fills_are_left_out() -> None:
    books = read_books(BOOKS, clock=server_clock(), since=DAY + timedelta(days=1))

    assert (books.orders, books.fills) == ((), ())
    assert books.is_whole
    assert len(books.positions) == 1


def test_without_the_servers_time_nothing_is_told() -> None:
    with pytest.raises(UnavailableError):
        read_books(BOOKS, clock=ServerClock(), since=DAY)


@given(damaged(BOOKS))
def test_any_books_give_books_or_a_typed_error(body: dict[str, object]) -> None:
    try:
        books = read_books(body, clock=server_clock(), since=DAY)
    except BrokerError:
        return
    assert all(0 <= order.filled <= order.quantity for order in books.orders)


@given(damaged(ORDER_ROW))
def test_any_order_row_gives_a_report_or_a_typed_error(row: dict[str, object]) -> None:
    try:
        found = report(row, Decimal(1))
    except ProtocolError:
        return
    assert 0 <= found.filled <= found.quantity


@given(damaged(DEAL_ROW))
def test_any_deal_row_gives_a_fill_or_a_typed_error(row: dict[str, object]) -> None:
    try:
        fill = mapping.fill_report(row, sizes=SIZES, clock=server_clock())
    except ProtocolError:
        return
    assert fill is None or (fill.quantity > 0 and fill.price > 0)


@given(damaged(POSITION_ROW))
def test_any_position_row_gives_a_position_or_a_typed_error(row: dict[str, object]) -> None:
    try:
        found = mapping.net_positions([row], sizes=SIZES)
    except ProtocolError:
        return
    assert all(position.net_qty.is_finite() for position in found)


@given(damaged(SYMBOL_ROW))
def test_any_symbol_row_gives_an_instrument_or_a_typed_error(row: dict[str, object]) -> None:
    try:
        found = instruments([row])
    except ProtocolError:
        return
    assert all(one.lot_size > 0 and one.freeze_qty > 0 for one in found)


def test_only_pairs_of_currencies_that_may_be_opened_are_instruments() -> None:
    rows = [
        SYMBOL_ROW,
        {**SYMBOL_ROW, "name": "GOLD", "trade_calc_mode": 2},
        {**SYMBOL_ROW, "name": "CLOSING", "trade_mode": 3},
        {**SYMBOL_ROW, "name": "OFF", "trade_mode": 0},
    ]

    assert [one.instrument_id for one in instruments(rows)] == ["EURUSD.MT5"]
    assert instrument(SYMBOL_ROW).lot_size == Decimal(1000)


@given(st.dictionaries(st.sampled_from(["tick_ms", "age_s", "utc_offset_s"]), JUNK))
def test_any_word_about_time_is_an_offset_or_a_typed_error(told: dict[str, object]) -> None:
    clock = ServerClock()
    try:
        note_time(clock, told, now=DAY, is_simulated=False)
    except ProtocolError:
        return
    assert clock.offset is None or abs(clock.offset) <= timedelta(hours=14)


@given(st.dictionaries(st.sampled_from(["margin", "margin_free"]), JUNK))
def test_any_account_is_money_or_a_typed_error(account: dict[str, object]) -> None:
    try:
        found = mapping.balance(account)
    except ProtocolError:
        return
    assert found.available.is_finite()


JSON_LETTERS = '[]{}"0123456789.eE+-NaIinfty '


@given(st.binary(max_size=40) | st.text(JSON_LETTERS, max_size=40) | st.sampled_from(["NaN", "[" * 9999]))
def test_any_bytes_are_json_or_a_typed_error(text: bytes | str) -> None:
    try:
        parse_json(text)
    except ProtocolError:
        return


def test_fractions_arrive_without_losing_a_digit() -> None:
    assert parse_json("[0.1, 1.39213]") == [Decimal("0.1"), Decimal("1.39213")]
