"""Binance's payloads become our words, or a typed error."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import ProtocolError
from app.domain.ids import BrokerOrderId
from app.domain.markets import Currency, Money
from app.domain.orders import OrderStatus, Side
from app.domain.reports import Balance, FillReport, FundingReport, OrderReport, PositionReport
from brokers.binance import algo, events, mapping
from brokers.binance.refs import OrderRef, parse_ref
from brokers.binance.sdk import load_sdk
from tests.unit.binance import payloads as p

FILLED = OrderReport(
    broker_order_id=BrokerOrderId("BTCUSDT-12569099453"),
    tag="ob0123456789abcdef",
    broker_symbol="BTCUSDT",
    side=Side.SELL,
    quantity=Decimal("0.00847"),
    filled=Decimal("0.00847"),
    avg_px=Decimal("23416.2"),
    price=Decimal("23416.1"),
    trigger_price=None,
    status=OrderStatus.FILLED,
    reject_reason="",
    version=p.NOW_MS * 10 + 9,
    updated_at=datetime(2024, 12, 2, 10, tzinfo=UTC),
)


def test_reads_the_documented_spot_order() -> None:
    report = mapping.order_report(p.SPOT_ORDER)

    assert replace(report, avg_px=FILLED.avg_px) == FILLED
    assert report.avg_px == Decimal("23416.2001180638")


def test_reads_the_documented_futures_order() -> None:
    report = mapping.order_report(p.FUTURES_ORDER)

    assert (report.status, report.quantity, report.avg_px) == (OrderStatus.ACCEPTED, Decimal("0.40"), None)
    assert report.broker_order_id == "BTCUSDT-1917641"


def test_reads_a_funding_as_what_was_taken() -> None:
    told = mapping.funding(p.FUNDING)

    assert told == FundingReport(
        ref="9689322392",
        broker_symbol="BTCUSDT",
        taken=Money(amount=Decimal("0.375"), currency=Currency("USDT")),
        ts_event=datetime(2024, 12, 2, 10, tzinfo=UTC),
    )
    with pytest.raises(ProtocolError, match="incomeType"):
        mapping.funding({**p.FUNDING, "incomeType": "COMMISSION"})


def test_reads_fills_of_both_segments() -> None:
    bought, sold = mapping.fill_report(p.SPOT_TRADE), mapping.fill_report(p.FUTURES_TRADE)

    assert (bought.trade_id, bought.side, bought.quantity) == ("BTCUSDT-28457", Side.BUY, Decimal(12))
    assert (sold.broker_order_id, sold.side, sold.price) == (
        "BTCUSDT-25851813",
        Side.SELL,
        Decimal("7819.01"),
    )


def test_a_fee_comes_in_the_asset_that_it_was_taken_in_and_a_rebate_is_negative() -> None:
    paid = mapping.fill_report({**p.SPOT_TRADE, "commission": "0.00012000", "commissionAsset": "BNB"})
    given = mapping.fill_report({**p.FUTURES_TRADE, "commission": "-0.00156", "commissionAsset": "USDT"})

    assert paid.fee == Money(amount=Decimal("0.00012"), currency=Currency("BNB"))
    assert given.fee == Money(amount=Decimal("-0.00156"), currency=Currency("USDT"))
    assert mapping.fill_report(p.SPOT_TRADE).fee is None


def test_reads_money_of_both_segments() -> None:
    assert mapping.spot_balance(p.SPOT_ACCOUNT) == Balance(available=Decimal("99.5"), used=Decimal("0.5"))
    assert mapping.futures_balance([p.FUTURES_BALANCE]) == Balance(
        available=Decimal("23.5"), used=Decimal(99)
    )
    assert mapping.futures_balance([]) == Balance(available=Decimal(0), used=Decimal(0))


def test_nets_the_sides_of_a_hedged_position() -> None:
    long = {**p.POSITION, "positionSide": "LONG", "positionAmt": "0.015"}

    assert mapping.futures_positions([p.POSITION, long]) == (
        PositionReport(broker_symbol="BTCUSDT", net_qty=Decimal("0.005")),
    )


def test_spot_positions_are_what_was_bought_and_sold_today() -> None:
    buy = mapping.fill_report(p.SPOT_TRADE)
    sell = replace(buy, side=Side.SELL, quantity=Decimal(5))

    assert mapping.bought_today([buy, sell]) == (PositionReport(broker_symbol="BTCUSDT", net_qty=Decimal(7)),)


def test_every_order_status_and_type_of_the_sdk_is_known() -> None:
    load_sdk()
    from binance import enums

    statuses = {value for name, value in vars(enums).items() if name.startswith("ORDER_STATUS_")}
    types = {
        value
        for name, value in vars(enums).items()
        if name.startswith(("ORDER_TYPE_", "FUTURE_ORDER_TYPE_")) and isinstance(value, str)
    }
    algo_only = {"TRIGGERING", "TRIGGERED", "FINISHED"}

    assert len(statuses) >= 10
    assert statuses - {"ACCEPTED"} <= set(mapping.STATUSES) | set(algo.STATUSES)
    assert algo_only <= set(algo.STATUSES)
    assert len(types) >= 8
    assert types <= mapping.ORDER_TYPES
    assert {value for name, value in vars(enums).items() if name.startswith("SIDE_")} == set(mapping.SIDES)


@given(st.text(max_size=12).filter(lambda word: word not in mapping.STATUSES))
def test_a_status_that_nobody_described_raises(word: str) -> None:
    with pytest.raises(ProtocolError):
        mapping.order_report({**p.SPOT_ORDER, "status": word})
    with pytest.raises(ProtocolError):
        events.spot_reports({"event": {**p.EXECUTION, "X": word}})


@given(st.text(max_size=12).filter(lambda word: word not in algo.STATUSES))
def test_an_algo_status_that_nobody_described_raises(word: str) -> None:
    with pytest.raises(ProtocolError):
        algo.algo_report({**p.ALGO, "algoStatus": word})


@pytest.mark.parametrize(
    ("word", "filled", "status"),
    [
        ("NEW", 0, OrderStatus.ACCEPTED),
        ("NEW", 4, OrderStatus.PARTIALLY_FILLED),
        ("PENDING_NEW", 0, OrderStatus.SUBMITTED),
        ("PARTIALLY_FILLED", 4, OrderStatus.PARTIALLY_FILLED),
        ("FILLED", 10, OrderStatus.FILLED),
        ("CANCELED", 4, OrderStatus.CANCELED),
        ("PENDING_CANCEL", 4, OrderStatus.PENDING_CANCEL),
        ("REJECTED", 0, OrderStatus.REJECTED),
        ("EXPIRED", 4, OrderStatus.EXPIRED),
        ("EXPIRED_IN_MATCH", 4, OrderStatus.EXPIRED),
    ],
)
def test_maps_every_known_status(word: str, filled: int, status: OrderStatus) -> None:
    assert mapping.order_status(word, filled=Decimal(filled), quantity=Decimal(10)) is status


@pytest.mark.parametrize(("word", "filled"), [("FILLED", 4), ("FILLED", 0), ("NEW", 11), ("CANCELED", 11)])
def test_a_fill_count_that_contradicts_the_status_raises(word: str, filled: int) -> None:
    with pytest.raises(ProtocolError):
        mapping.order_status(word, filled=Decimal(filled), quantity=Decimal(10))


def test_a_spot_stop_that_came_onto_the_book_has_triggered() -> None:
    stop = {**p.SPOT_ORDER, "type": "STOP_LOSS_LIMIT", "status": "NEW", "executedQty": "0"}

    assert mapping.order_report(stop).status is OrderStatus.TRIGGERED
    assert mapping.order_report({**stop, "isWorking": False}).status is OrderStatus.ACCEPTED


def test_the_news_of_a_cancel_keeps_the_orders_own_tag() -> None:
    (report,) = events.spot_reports({"event": {**p.EXECUTION, "X": "CANCELED", "C": "own", "c": "web_123"}})

    assert isinstance(report, OrderReport)
    assert (report.tag, report.status) == ("own", OrderStatus.CANCELED)


def test_news_and_reads_of_one_change_have_one_version() -> None:
    read = mapping.order_report(p.FUTURES_ORDER)
    (news,) = events.futures_reports({"e": "ORDER_TRADE_UPDATE", "o": p.TRADE_UPDATE})

    assert isinstance(news, OrderReport)
    assert read.version == news.version
    ended = {**p.FUTURES_ORDER, "status": "CANCELED"}
    assert mapping.order_report(ended).version > read.version


def test_account_news_tells_the_positions_of_one_way_mode_only() -> None:
    rows = [{"s": "BTCUSDT", "pa": "-1.5", "ps": "BOTH"}, {"s": "ETHUSDT", "pa": "1", "ps": "LONG"}]

    assert events.futures_reports({"e": "ACCOUNT_UPDATE", "a": {"P": rows}}) == (
        PositionReport(broker_symbol="BTCUSDT", net_qty=Decimal("-1.5")),
    )


@pytest.mark.parametrize("kind", ["listenKeyExpired", "eventStreamTerminated", "serverShutdown"])
def test_the_end_of_a_stream_is_recognized_in_both_envelopes(kind: str) -> None:
    assert events.ending({"e": kind}) == kind
    assert events.ending({"subscriptionId": 0, "event": {"e": kind}}) == kind
    assert events.ending({"e": "ORDER_TRADE_UPDATE"}) is None


def test_unknown_news_raises() -> None:
    messages: tuple[Mapping[str, object], ...] = (
        {"e": "NEW_THING"},
        {"event": {"e": "NEW_THING"}},
        {},
        {"event": {}},
    )
    for message in messages:
        for read in (events.spot_reports, events.futures_reports):
            with pytest.raises(ProtocolError):
                read(message)


def test_a_triggered_order_is_told_under_the_name_of_its_stop() -> None:
    actual = mapping.order_report(
        {**p.FUTURES_ORDER, "orderId": 77, "status": "FILLED", "executedQty": "0.01", "origQty": "0.01"}
    )
    other = mapping.order_report(p.FUTURES_ORDER)
    row = {**p.ALGO, "algoStatus": "FINISHED", "actualOrderId": "77"}

    book = {report.broker_order_id: report for report in algo.merged_book([actual, other], [row])}

    assert set(book) == {"BTCUSDT-algo-2146760", "BTCUSDT-1917641"}
    stop = book[BrokerOrderId("BTCUSDT-algo-2146760")]
    assert (stop.status, stop.filled, stop.trigger_price) == (
        OrderStatus.FILLED,
        Decimal("0.01"),
        Decimal(750),
    )


def test_a_stop_never_fills_more_than_its_quantity() -> None:
    actual = mapping.order_report({**p.FUTURES_ORDER, "status": "PARTIALLY_FILLED", "executedQty": "0.2"})
    row = {**p.ALGO, "algoStatus": "TRIGGERED", "actualOrderId": 1917641}

    with pytest.raises(ProtocolError):
        algo.merged_book([actual], [row])


@given(st.text(alphabet="ABCXYZ019_", min_size=1, max_size=20), st.integers(1, 10**19), st.booleans())
def test_the_name_of_an_order_leads_back_to_it(symbol: str, number: int, is_algo: bool) -> None:  # noqa: FBT001
    ref = OrderRef(symbol, number, is_algo=is_algo)

    assert parse_ref(ref.broker_order_id) == ref


@pytest.mark.parametrize(
    "name", ["", "990101000000001", "BTCUSDT-", "BTCUSDT-x", "BTC USDT-1", "BTCUSDT-algo-"]
)
def test_other_names_lead_nowhere(name: str) -> None:
    assert parse_ref(BrokerOrderId(name)) is None


def _wrapped(kind: str, key: str = "o") -> Callable[[Mapping[str, object]], object]:
    return lambda row: events.futures_reports({"e": kind, "T": p.NOW_MS, key: row})


READERS: tuple[tuple[Callable[[Mapping[str, object]], object], Mapping[str, object]], ...] = (
    (mapping.order_report, p.SPOT_ORDER),
    (mapping.order_report, p.FUTURES_ORDER),
    (mapping.fill_report, p.SPOT_TRADE),
    (mapping.fill_report, p.FUTURES_TRADE),
    (mapping.spot_balance, p.SPOT_ACCOUNT),
    (lambda row: mapping.futures_balance([row]), p.FUTURES_BALANCE),
    (lambda row: mapping.futures_positions([row]), p.POSITION),
    (lambda row: mapping.spot_balance({"balances": [row]}), {"asset": "USDT", "free": "1", "locked": "2"}),
    (lambda row: events.spot_reports({"event": row}), p.EXECUTION),
    (_wrapped("ORDER_TRADE_UPDATE"), p.TRADE_UPDATE),
    (_wrapped("ALGO_UPDATE"), p.ALGO_UPDATE),
    (_wrapped("ACCOUNT_UPDATE", "a"), {"P": [{"s": "BTCUSDT", "pa": "1", "ps": "BOTH"}]}),
    (
        lambda row: events.futures_reports({"e": "ACCOUNT_UPDATE", "a": {"P": [row]}}),
        {"s": "A", "pa": "1", "ps": "BOTH"},
    ),
    (
        lambda row: algo.merged_book([mapping.order_report(p.FUTURES_ORDER)], [row]),
        {**p.ALGO, "actualOrderId": 1917641},
    ),
    (algo.event_actual_order, {**p.ALGO_UPDATE, "ai": "77"}),
)


@given(
    st.sampled_from(range(len(READERS))).flatmap(lambda n: st.tuples(st.just(n), p.damaged(READERS[n][1])))
)
def test_any_payload_gives_our_words_or_a_typed_error(case: tuple[int, dict[str, object]]) -> None:
    number, row = case
    try:
        found = READERS[number][0](row)
    except ProtocolError:
        return
    for item in found if isinstance(found, tuple) else (found,):
        _check(item)


def _check(item: object) -> None:
    assert item is None or isinstance(item, OrderReport | FillReport | PositionReport | Balance | str)
    if isinstance(item, OrderReport):
        assert 0 <= item.filled <= item.quantity
        assert item.avg_px is None or item.avg_px > 0
        assert parse_ref(item.broker_order_id) is not None
        assert (item.status is OrderStatus.FILLED) <= (item.filled == item.quantity)
    elif isinstance(item, FillReport):
        assert item.quantity > 0
        assert item.price > 0
    elif isinstance(item, PositionReport):
        assert item.net_qty.is_finite()


@given(p.JUNK)
def test_any_message_gives_reports_or_a_typed_error(message: object) -> None:
    for row in (
        {"e": message, "o": message, "a": message, "T": message, "event": message},
        {"event": message},
    ):
        events.ending(row)
        for read in (events.spot_reports, events.futures_reports):
            try:
                found = read(row)
            except ProtocolError:
                continue
            assert isinstance(found, tuple)
