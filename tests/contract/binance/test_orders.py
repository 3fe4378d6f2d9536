"""Orders end as Binance says, whatever its replies do."""

from datetime import timedelta
from decimal import Decimal

import pytest

from app.domain.errors import InvalidInputError, RateLimitedError
from app.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from app.domain.reports import FaultClass, OrderReport, Outcome
from tests.contract.binance.desk import BinanceDesk
from tests.waiting import eventually


def _fault(desk: BinanceDesk, kind: str, endpoint: str = "place", **values: object) -> None:
    desk.inject_rules({"kind": kind, "endpoint": f"{desk.market}.{endpoint}", "count": 1, **values})


def _is_there(desk: BinanceDesk, tag: str) -> bool:
    return any(report.tag == tag for report in desk.gateway.request_orders().data)


def test_a_market_order_fills_and_the_books_agree(desk: BinanceDesk) -> None:
    request = desk.request()
    order_id = desk.gateway.submit_order(request, timeout_s=5).broker_order_id
    assert order_id is not None

    eventually(lambda: OrderStatus.FILLED in desk.news(order_id))
    fills = desk.gateway.request_fills()
    assert fills.clean
    assert sum(fill.quantity for fill in fills.data) == request.quantity
    assert desk.gateway.request_orders().clean
    positions = desk.gateway.request_positions()
    assert positions.clean
    assert [position.net_qty for position in positions.data] == [request.quantity]


def test_an_order_that_may_not_rest_expires(desk: BinanceDesk) -> None:
    order_id = desk.placed(order_type=OrderType.LIMIT, time_in_force=TimeInForce.IOC, price=desk.at("0.96"))

    assert desk.status(order_id) is OrderStatus.EXPIRED
    eventually(lambda: OrderStatus.EXPIRED in desk.news(order_id))


@pytest.mark.parametrize("order_type", [OrderType.STOP_MARKET, OrderType.STOP_LIMIT])
def test_a_protective_stop_triggers_and_fills_under_its_own_name(
    desk: BinanceDesk, order_type: OrderType
) -> None:
    bought = desk.placed()
    trigger = desk.at("0.9999")
    price = desk.at("0.99") if order_type is OrderType.STOP_LIMIT else None
    stop = desk.placed(
        side=Side.SELL, order_type=order_type, price=price, trigger_price=trigger, reduces_only=True
    )
    assert desk.status(stop) is OrderStatus.ACCEPTED

    def is_filled() -> bool:
        desk.simulator.pass_time(timedelta(minutes=2))
        return desk.status(stop) is OrderStatus.FILLED

    eventually(is_filled)
    eventually(lambda: OrderStatus.FILLED in desk.news(stop))
    read = desk.gateway.request_orders()
    assert {report.broker_order_id for report in read.data} == {bought, stop}
    assert read.clean
    assert {fill.broker_order_id for fill in desk.gateway.request_fills().data} == {bought, stop}
    assert {event.broker_order_id for event in desk.events if isinstance(event, OrderReport)} == {
        bought,
        stop,
    }
    assert sum(position.net_qty for position in desk.gateway.request_positions().data) == 0
    again = desk.gateway.cancel_order(stop, timeout_s=5)
    assert (again.outcome, again.fault) == (Outcome.REJECTED, FaultClass.ALREADY_DONE)


def test_a_stop_that_triggered_and_rests_can_still_be_canceled(desk: BinanceDesk) -> None:
    desk.placed()
    trigger = desk.at("0.9999")
    stop = desk.placed(
        side=Side.SELL, order_type=OrderType.STOP_LIMIT, price=desk.at("1.04"), trigger_price=trigger
    )

    def is_triggered() -> bool:
        desk.simulator.pass_time(timedelta(minutes=2))
        return desk.status(stop) is OrderStatus.TRIGGERED

    eventually(is_triggered)
    result = desk.gateway.cancel_order(stop, timeout_s=5)

    assert (result.outcome, result.broker_order_id) == (Outcome.ACCEPTED, stop)
    assert desk.status(stop) is OrderStatus.CANCELED
    eventually(lambda: OrderStatus.CANCELED in desk.news(stop))


def test_a_stop_can_be_canceled_before_it_triggers(desk: BinanceDesk) -> None:
    stop = desk.placed(order_type=OrderType.STOP_MARKET, trigger_price=desk.at("1.2"))

    assert desk.gateway.cancel_order(stop, timeout_s=5).outcome is Outcome.ACCEPTED
    assert desk.status(stop) is OrderStatus.CANCELED
    again = desk.gateway.cancel_order(stop, timeout_s=5)
    assert (again.outcome, again.fault) == (Outcome.REJECTED, FaultClass.ALREADY_DONE)


def test_a_stop_that_would_trigger_at_once_is_refused(desk: BinanceDesk) -> None:
    result = desk.submit(order_type=OrderType.STOP_MARKET, trigger_price=desk.at("0.9"))

    assert (result.outcome, result.fault) == (Outcome.REJECTED, FaultClass.INVALID)
    assert not desk.book()


def test_an_order_that_only_reduces_opens_nothing(desk: BinanceDesk) -> None:
    if desk.market == "spot":
        return
    result = desk.submit(side=Side.SELL, reduces_only=True)

    assert (result.outcome, result.fault, result.code) == (Outcome.REJECTED, FaultClass.INVALID, "-2022")
    assert not desk.book()


@pytest.mark.parametrize("kind", ["code_1007", "http_5xx_json"])
@pytest.mark.parametrize("is_placed", [True, False])
def test_an_unknown_execution_is_unknown_with_both_outcomes(
    desk: BinanceDesk,
    kind: str,
    is_placed: bool,  # noqa: FBT001
) -> None:
    _fault(desk, kind, accepted=is_placed)
    request = desk.request(order_type=OrderType.LIMIT, price=desk.at("0.96"))

    result = desk.gateway.submit_order(request, timeout_s=5)

    assert (result.outcome, result.fault) == (Outcome.UNKNOWN, FaultClass.BROKER_DOWN)
    assert len(desk.book()) == is_placed
    assert _is_there(desk, request.client_order_id) == is_placed
    assert desk.requests("submit") == 1


def test_half_a_reply_is_unknown_and_found(desk: BinanceDesk) -> None:
    _fault(desk, "half_body")
    request = desk.request(order_type=OrderType.LIMIT, price=desk.at("0.96"))

    assert desk.gateway.submit_order(request, timeout_s=5).outcome is Outcome.UNKNOWN
    assert _is_there(desk, request.client_order_id)


def test_an_order_that_appears_late_is_found_within_the_deadline(desk: BinanceDesk) -> None:
    place = f"{desk.market}.place"
    desk.inject_rules(
        {"kind": "ack_lost", "endpoint": place, "count": 1},
        {"kind": "late_placement", "endpoint": place, "count": 1, "seconds": 1.5},
    )
    request = desk.request(order_type=OrderType.LIMIT, price=desk.at("0.96"))

    assert desk.gateway.submit_order(request, timeout_s=5).outcome is Outcome.UNKNOWN
    assert not desk.book()
    assert desk.gateway.capabilities().not_placed_after_s > 13
    eventually(lambda: _is_there(desk, request.client_order_id))


def test_an_overloaded_venue_did_not_place(desk: BinanceDesk) -> None:
    _fault(desk, "code_1008")

    result = desk.submit()

    assert (result.outcome, result.fault) == (Outcome.NOT_SENT, FaultClass.THROTTLED)
    assert result.retry_after_s is not None
    assert not desk.book()
    assert desk.submit().outcome is Outcome.ACCEPTED


def test_a_wrong_clock_is_mended_without_sending_twice(desk: BinanceDesk) -> None:
    _fault(desk, "clock_skew", seconds=30.0)

    result = desk.submit()

    assert (result.outcome, result.code) == (Outcome.NOT_SENT, "-1021")
    assert desk.requests("submit") == 1
    assert desk.submit().outcome is Outcome.ACCEPTED


def test_a_read_with_a_wrong_clock_is_read_again(desk: BinanceDesk) -> None:
    _fault(desk, "clock_skew", "all_orders", seconds=30.0)

    assert desk.gateway.request_orders().clean


def test_a_throttled_address_is_left_alone_and_others_go_on(desk: BinanceDesk) -> None:
    _fault(desk, "http_418", seconds=600.0)
    assert desk.submit().fault is FaultClass.THROTTLED
    sent = desk.requests("submit")

    held = desk.submit()
    with pytest.raises(RateLimitedError) as caught:
        desk.gateway.request_orders()
    other = desk.other_account()

    assert (held.outcome, held.fault) == (Outcome.NOT_SENT, FaultClass.THROTTLED)
    assert held.retry_after_s is not None
    assert 300 < held.retry_after_s <= 600
    assert 300 < caught.value.retry_after_s <= 600
    assert desk.requests("submit") == sent
    assert other.submit_order(desk.request(), timeout_s=5).outcome is Outcome.ACCEPTED
    other.close()


def test_a_cancel_that_races_a_fill_finds_the_fill(desk: BinanceDesk) -> None:
    order_id = desk.placed(order_type=OrderType.LIMIT, price=desk.at("0.96"))
    _fault(desk, "cancel_races_fill", "cancel")

    result = desk.gateway.cancel_order(order_id, timeout_s=5)

    assert (result.outcome, result.fault) == (Outcome.REJECTED, FaultClass.ALREADY_DONE)
    assert desk.status(order_id) is OrderStatus.FILLED


def test_a_cancel_whose_reply_is_lost_is_unknown_and_repeated_safely(desk: BinanceDesk) -> None:
    order_id = desk.placed(order_type=OrderType.LIMIT, price=desk.at("0.96"))
    _fault(desk, "ack_lost", "cancel")

    assert desk.gateway.cancel_order(order_id, timeout_s=5).outcome is Outcome.UNKNOWN
    assert desk.gateway.cancel_order(order_id, timeout_s=5).fault is FaultClass.ALREADY_DONE


def test_a_halted_symbol_is_refused_once_by_the_venue_and_then_by_us(desk: BinanceDesk) -> None:
    symbol = {"market": desk.market, "symbol": "BTCUSDT"}
    desk.simulator.post("symbols", {**symbol, "status": "BREAK"})
    try:
        first = desk.submit()
        desk.gateway.warm_up()
        with pytest.raises(InvalidInputError, match="halted"):
            desk.submit()
    finally:
        desk.simulator.post("symbols", {**symbol, "status": "TRADING"})

    assert (first.outcome, first.fault) == (Outcome.REJECTED, FaultClass.MARKET_CLOSED)
    assert desk.requests("submit") == 1
    desk.refresh_rules()
    assert desk.submit().outcome is Outcome.ACCEPTED


def test_an_order_that_a_person_placed_elsewhere_is_seen(desk: BinanceDesk) -> None:
    params = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": str(desk.request().quantity),
        "price": str(desk.at("0.97")),
    }
    desk.simulator.post("external", {"account": desk.account, "market": desk.market, "params": params})

    (report,) = desk.gateway.request_orders().data

    assert report.tag.startswith("web_")
    assert report.status is OrderStatus.ACCEPTED
    assert report.price == Decimal(params["price"])


def test_trades_that_lag_are_not_clean(desk: BinanceDesk) -> None:
    order_id = desk.placed()
    eventually(lambda: OrderStatus.FILLED in desk.news(order_id))
    _fault(desk, "fills_lag", "fills")

    assert not desk.gateway.request_fills().clean
    assert desk.gateway.request_fills().clean


def test_positions_that_lag_are_not_clean(desk: BinanceDesk) -> None:
    order_id = desk.placed()
    eventually(lambda: OrderStatus.FILLED in desk.news(order_id))
    if desk.market == "spot":
        _fault(desk, "fills_lag", "fills")
    else:
        _fault(desk, "positions_stale", "positions")

    assert not desk.gateway.request_positions().clean


def test_an_order_that_is_not_found_yet_is_no_proof(desk: BinanceDesk) -> None:
    order_id = desk.placed(order_type=OrderType.LIMIT, price=desk.at("0.96"))
    _fault(desk, "not_found_lag", "order")

    read = desk.gateway.request_order(order_id)

    assert (read.data, read.clean) == (None, False)
    assert desk.gateway.request_order(order_id).clean
