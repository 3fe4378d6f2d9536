"""Ids, times, requests and evidence of the MT5 adapter keep their promises."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import InvalidInputError, ProtocolError, UnavailableError
from app.domain.ids import BrokerOrderId, ClientOrderId, DeploymentId, SignalKey, client_order_id
from app.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from app.domain.ports import OrderChange, OrderRequest
from app.domain.reports import OrderReport, PositionReport
from brokers.mt5.books import Books
from brokers.mt5.evidence import SeenToday
from brokers.mt5.gateway import capabilities_of
from brokers.mt5.instruments import instrument
from brokers.mt5.requests import cancel_fields, modify_fields, submit_fields
from brokers.mt5.server_time import ServerClock, day_start, measured_offset
from brokers.mt5.session import check_agent_url
from brokers.mt5.stream import Changes
from brokers.mt5.tags import comment_of, magic_of, tag_of
from brokers.mt5.time_notes import note_time
from tests.unit.mt5.payloads import SYMBOL_ROW

EURUSD = instrument(SYMBOL_ROW)
NOW = datetime(2014, 5, 6, 8, 0, tzinfo=UTC)
ORDER_ID = ClientOrderId("ob0123456789abcdef")


def ours(request_changes: dict[str, object]) -> OrderRequest:
    values: dict[str, object] = {
        "client_order_id": ORDER_ID,
        "instrument": EURUSD,
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.GTC,
        "quantity": Decimal(3000),
        "price": Decimal("1.39"),
        "trigger_price": None,
    }
    return OrderRequest(**(values | request_changes))  # type: ignore[arg-type]  # a test's table of fields


def order(order_id: str = "1", *, filled: int = 0, version: int = 1) -> OrderReport:
    return OrderReport(
        broker_order_id=BrokerOrderId(order_id),
        tag="",
        broker_symbol="EURUSD",
        side=Side.BUY,
        quantity=Decimal(3000),
        filled=Decimal(filled),
        avg_px=None,
        price=None,
        trigger_price=None,
        status=OrderStatus.ACCEPTED,
        reject_reason="",
        version=version,
        updated_at=NOW,
    )


def books(*orders: OrderReport, is_whole: bool = True, net: int = 0) -> Books:
    positions = (PositionReport(broker_symbol="EURUSD", net_qty=Decimal(net)),) if net else ()
    return Books(orders=orders, fills=(), positions=positions, is_whole=is_whole)


@given(st.integers(1, 2**64 - 1))
def test_the_magic_number_holds_the_whole_id(number: int) -> None:
    wanted = ClientOrderId(f"ob{number:016x}")

    assert magic_of(wanted) == number
    assert tag_of(number, "rewritten") == wanted
    assert tag_of(number - 2**64 if number >= 2**63 else number, "") == wanted
    assert len(comment_of(wanted)) <= 16


@given(st.from_regex(r"\A[A-Za-z0-9_]{1,16}\Z"))
def test_a_short_id_comes_back_from_its_comment(text: str) -> None:
    assert 0 < magic_of(ClientOrderId(text)) < 2**64
    assert tag_of(magic_of(ClientOrderId(text)), comment_of(ClientOrderId(text))) == text


def test_the_platforms_own_ids_fit() -> None:
    wanted = client_order_id(DeploymentId(7), SignalKey("day:straddle"), leg=0, attempt=0)

    assert tag_of(magic_of(wanted), comment_of(wanted)) == wanted
    assert tag_of(0, "by hand") == ""


@pytest.mark.parametrize("text", ["", "has space", "ob0123456789abcdeg0", "x" * 17, "ünï"])
def test_an_id_that_cannot_come_back_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        magic_of(ClientOrderId(text))


@given(st.integers(-48, 56), st.integers(-100, 100))
def test_a_fresh_tick_proves_the_offset(quarters: int, slack_s: int) -> None:
    offset = timedelta(minutes=15 * quarters)
    tick = NOW + offset + timedelta(seconds=slack_s)

    assert measured_offset(int(tick.timestamp() * 1000), at=NOW) == offset


@pytest.mark.parametrize("tick_ms", [0, -1, 10**14, int((NOW - timedelta(days=2)).timestamp() * 1000)])
def test_a_tick_that_fits_no_zone_teaches_nothing(tick_ms: int) -> None:
    assert measured_offset(tick_ms, at=NOW) is None
    half_way = NOW + timedelta(minutes=7)
    assert measured_offset(int(half_way.timestamp() * 1000), at=NOW) is None


@pytest.mark.parametrize(("is_simulated", "hours"), [(True, 2), (False, 3)])
def test_a_fresh_tick_corrects_the_settings_of_a_real_terminal_only(
    hours: int, *, is_simulated: bool
) -> None:
    clock = ServerClock()
    tick_ms = int((NOW + timedelta(hours=3)).timestamp() * 1000)
    told = {"tick_ms": tick_ms, "age_s": Decimal(1), "utc_offset_s": 7200}

    note_time(clock, told, now=NOW + timedelta(seconds=1), is_simulated=is_simulated)

    assert clock.offset == timedelta(hours=hours)
    note_time(clock, {**told, "age_s": Decimal(60)}, now=NOW, is_simulated=is_simulated)
    assert clock.offset == timedelta(hours=hours)


def test_server_times_go_both_ways() -> None:
    clock = ServerClock()
    with pytest.raises(UnavailableError):
        clock.to_utc(1)
    clock.note_tick(int((NOW + timedelta(hours=3)).timestamp() * 1000), at=NOW)

    assert clock.to_utc(clock.to_server_ms(NOW)) == NOW
    with pytest.raises(ProtocolError):
        clock.to_utc(0)


@pytest.mark.parametrize(
    ("now", "start"),
    [
        ("2014-05-06T08:00+00:00", "2014-05-05T21:00+00:00"),
        ("2014-05-06T20:59+00:00", "2014-05-05T21:00+00:00"),
        ("2014-05-06T21:00+00:00", "2014-05-06T21:00+00:00"),
        ("2014-01-06T21:59+00:00", "2014-01-05T22:00+00:00"),
        ("2014-03-09T22:00+00:00", "2014-03-09T21:00+00:00"),
        ("2014-11-02T21:59+00:00", "2014-11-01T21:00+00:00"),
    ],
)
def test_the_day_begins_at_five_in_new_york(now: str, start: str) -> None:
    assert day_start(datetime.fromisoformat(now)) == datetime.fromisoformat(start)


def test_an_order_travels_in_lots_with_its_marks() -> None:
    fields = submit_fields(ours({"reduces_only": True, "position_ref": "77"}))

    assert fields == {
        "command_id": ORDER_ID,
        "magic": 0x0123456789ABCDEF,
        "comment": "0123456789abcdef",
        "symbol": "EURUSD",
        "side": "BUY",
        "reduces_only": True,
        "position": 77,
        "order_type": "LIMIT",
        "time_in_force": "GTC",
        "volume": "0.03",
        "price": "1.39",
        "trigger_price": None,
    }
    assert submit_fields(ours({"quantity": Decimal(10_000_000)}))["volume"] == "100"


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": Decimal(1500)},
        {"quantity": Decimal(0)},
        {"quantity": Decimal(-1000)},
        {"quantity": Decimal("NaN")},
        {"quantity": Decimal(10_001_000)},
        {"price": Decimal("1.390001")},
        {"price": Decimal(0)},
        {"price": Decimal("Infinity")},
        {"price": None},
        {"trigger_price": Decimal("1.39")},
        {"order_type": OrderType.MARKET},
        {"order_type": OrderType.STOP_LIMIT, "trigger_price": Decimal("1.40")},
        {"order_type": OrderType.STOP_MARKET},
        {"position_ref": "abc"},
        {"position_ref": "-1"},
        {"client_order_id": ClientOrderId("no such id, sorry")},
    ],
)
def test_an_order_that_breaks_a_rule_is_not_sent(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        submit_fields(ours(changes))


@pytest.mark.parametrize("order_id", ["", "0", "x", "-5", "٣", "9" * 21, str(1 << 64)])
def test_only_a_ticket_names_an_order(order_id: str) -> None:
    change = OrderChange(
        broker_order_id=BrokerOrderId(order_id),
        instrument=EURUSD,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal(1000),
        price=Decimal(1),
        trigger_price=None,
    )
    with pytest.raises(InvalidInputError):
        cancel_fields(BrokerOrderId(order_id), command_id="c")
    with pytest.raises(InvalidInputError):
        modify_fields(change, command_id="c")


def test_only_netting_accounts_rest_stops() -> None:
    assert [capabilities_of(mode).rests_stops for mode in (0, 1, 2)] == [True, True, False]
    capabilities = capabilities_of(2)
    assert not capabilities.changes_in_place
    assert capabilities.resting_time_in_force is TimeInForce.GTC
    assert OrderType.STOP_LIMIT not in capabilities.order_types


def test_books_that_miss_what_was_seen_prove_nothing() -> None:
    seen = SeenToday()
    seen.note_placed(BrokerOrderId("1"))

    assert not seen.judge(books(), day=NOW)
    assert seen.judge(books(order("1", filled=1000)), day=NOW)
    assert not seen.judge(books(order("1")), day=NOW)
    assert not seen.judge(books(order("1", filled=1000), is_whole=False), day=NOW)
    assert not seen.judge_order(BrokerOrderId("1"), None)
    assert seen.judge_order(BrokerOrderId("2"), None)
    assert seen.judge(books(), day=NOW + timedelta(days=1))


def test_each_change_is_told_once_and_a_closed_position_as_zero() -> None:
    changes = Changes()
    flat = PositionReport(broker_symbol="EURUSD", net_qty=Decimal(0))

    assert len(list(changes.news(books(order(), net=1000)))) == 2
    assert list(changes.news(books(order(), net=1000))) == []
    assert list(changes.news(books(order(version=2), net=1000))) == [order(version=2)]
    assert list(changes.news(books(order(version=2)))) == [flat]
    assert list(changes.news(books(order(version=2)))) == []


@pytest.mark.parametrize("url", ["https://10.0.0.5:8701", "http://127.0.0.1:8701", "http://[::1]:8701"])
def test_an_agent_is_called_where_nobody_listens_in(url: str) -> None:
    check_agent_url(url)
