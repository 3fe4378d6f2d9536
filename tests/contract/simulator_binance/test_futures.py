"""Futures over the wire with the real client: orders, the algo route, positions, set-up."""

import pytest

from tests.contract.simulator_binance.venue import Venue, limit, market, refusal
from tests.waiting import eventually

SYMBOL = {"symbol": "BTCUSDT"}


def test_a_placement_is_only_acknowledged_unless_a_result_is_asked_for(venue: Venue) -> None:
    client = venue.client()
    assert client.futures_create_order(**market("BUY"))["status"] == "NEW"
    result = client.futures_create_order(**market("BUY", newOrderRespType="RESULT"))
    assert (result["status"], result["executedQty"]) == ("FILLED", "0.010")
    (position,) = client.futures_position_information()
    assert (position["positionAmt"], position["positionSide"]) == ("0.020", "BOTH")
    assert len(client.futures_account_trades(**SYMBOL)) == 2


def test_conditional_orders_live_on_the_algo_route_only(venue: Venue) -> None:
    client = venue.client()
    stop = f"{venue.last('futures') - 900:.1f}"
    terms = SYMBOL | {"side": "SELL", "type": "STOP_MARKET", "quantity": "0.01"}
    client.futures_create_order(**terms, stopPrice=stop, clientAlgoId="stop", newClientOrderId="dropped")
    assert client.futures_get_open_orders() == []
    (algo,) = client.futures_get_open_algo_orders()
    assert (algo["clientAlgoId"], algo["triggerPrice"], algo["algoStatus"]) == ("stop", stop + "0", "NEW")
    assert refusal(client.futures_get_order, **SYMBOL, origClientOrderId="stop")[1] == -2013
    assert client.futures_cancel_order(clientAlgoId="stop")["msg"] == "success"
    assert refusal(client.futures_cancel_order, clientAlgoId="stop")[1] == -2011
    assert client.futures_get_order(clientAlgoId="stop")["algoStatus"] == "CANCELED"


def test_a_duplicate_client_id_is_refused_on_both_routes(venue: Venue) -> None:
    client = venue.client()
    last = venue.last("futures")
    order = limit("BUY", last - 500, newClientOrderId="same")
    algo = SYMBOL | {"side": "SELL", "type": "STOP_MARKET", "quantity": "0.01", "clientAlgoId": "same"}
    client.futures_create_order(**order)
    client.futures_create_order(**algo, stopPrice=f"{last - 900:.1f}")
    assert refusal(client.futures_create_order, **order)[1] == -4116
    assert refusal(client.futures_create_order, **algo, stopPrice=f"{last - 900:.1f}")[1] == -4116


def test_an_algo_order_triggers_as_the_real_market_moves(venue: Venue) -> None:
    client = venue.client()
    client.futures_create_order(**market("BUY"))
    terms = SYMBOL | {"side": "SELL", "closePosition": "true"}
    last = venue.last("futures")
    for kind, price in (("STOP_MARKET", last - 40), ("TAKE_PROFIT_MARKET", last + 40)):
        client.futures_create_order(**terms, type=kind, stopPrice=f"{price:.1f}", clientAlgoId=kind)
    venue.tick_until(lambda: client.futures_position_information() == [])
    statuses = {
        algo["clientAlgoId"]: algo["algoStatus"] for algo in client.futures_get_all_algo_orders(**SYMBOL)
    }
    assert sorted(statuses.values()) == ["EXPIRED", "FINISHED"]


def test_a_limit_order_can_be_modified_until_it_fills(venue: Venue) -> None:
    client = venue.client()
    last = venue.last("futures")
    client.futures_create_order(**limit("BUY", last - 500, newClientOrderId="move"))
    change = SYMBOL | {"origClientOrderId": "move", "side": "BUY", "quantity": "0.02"}
    moved = client.futures_modify_order(**change, price=f"{last - 400:.1f}")
    assert (moved["price"], moved["origQty"]) == (f"{last - 400:.2f}", "0.020")
    assert refusal(client.futures_modify_order, **change, price=f"{last - 400:.1f}")[1] == -5027
    filled = client.futures_modify_order(**change, price=f"{last + 50:.1f}")
    assert filled["status"] == "FILLED"
    assert refusal(client.futures_modify_order, **change, price=f"{last:.1f}")[1] == -2013


def test_everything_open_can_be_canceled_at_once_on_each_route(venue: Venue) -> None:
    client = venue.client()
    last = venue.last("futures")
    client.futures_create_order(**limit("BUY", last - 500))
    stop = SYMBOL | {"side": "SELL", "type": "STOP_MARKET", "quantity": "0.01"}
    client.futures_create_order(**stop, stopPrice=f"{last - 900:.1f}")
    client.futures_cancel_all_open_orders(**SYMBOL)
    assert client.futures_get_open_orders() == []
    assert len(client.futures_get_open_algo_orders()) == 1
    client.futures_cancel_all_algo_open_orders(**SYMBOL)
    assert client.futures_get_open_algo_orders() == []


def test_orders_go_in_and_out_in_batches_each_with_its_own_outcome(venue: Venue) -> None:
    client = venue.client()
    good = limit("BUY", venue.last("futures") - 500, newClientOrderId="good")
    bad = limit("BUY", venue.last("futures") - 500, newClientOrderId="bad", quantity="1000")
    first, second = client.futures_place_batch_order(batchOrders=[good, bad])
    assert (first["clientOrderId"], second["code"]) == ("good", -2019)
    (gone,) = client.futures_cancel_orders(**SYMBOL, orderIdList=f"[{first['orderId']}]")
    assert gone["status"] == "CANCELED"


def test_set_up_answers_with_a_code_when_nothing_changes(venue: Venue) -> None:
    client = venue.client()
    assert client.futures_change_leverage(**SYMBOL, leverage=10)["leverage"] == 10
    client.futures_change_margin_type(**SYMBOL, marginType="ISOLATED")
    assert refusal(client.futures_change_margin_type, **SYMBOL, marginType="ISOLATED")[1] == -4046
    assert client.futures_get_position_mode() == {"dualSidePosition": False}
    assert refusal(client.futures_change_position_mode, dualSidePosition="false")[1] == -4059


def test_a_position_and_its_profit_are_in_the_account(venue: Venue) -> None:
    client = venue.client()
    client.futures_create_order(**market("SELL"))
    venue.tick(4)
    account = client.futures_account()
    (held,) = [item for item in account["positions"] if float(item["positionAmt"])]
    (balance,) = client.futures_account_balance()
    assert held["positionAmt"] == "-0.010"
    assert balance["crossUnPnl"] == held["unrealizedProfit"] == account["totalUnrealizedProfit"]
    wallet = float(account["totalWalletBalance"]) + float(held["unrealizedProfit"])
    assert float(account["totalMarginBalance"]) == pytest.approx(wallet)


def test_orders_are_canceled_when_the_countdown_is_not_renewed(venue: Venue) -> None:
    client = venue.client()
    client.futures_create_order(**limit("BUY", venue.last("futures") - 500, newClientOrderId="left"))
    client.futures_countdown_cancel_all(**SYMBOL, countdownTime=60_000)
    assert venue.statuses() == {"left": "NEW"}
    client.futures_countdown_cancel_all(**SYMBOL, countdownTime=100)
    eventually(lambda: venue.statuses() == {"left": "CANCELED"})


def test_the_meta_data_differ_from_spot(venue: Venue) -> None:
    (symbol,) = venue.client().futures_exchange_info()["symbols"]
    filters = {item["filterType"]: item for item in symbol["filters"]}
    assert (symbol["contractType"], filters["PRICE_FILTER"]["tickSize"]) == ("PERPETUAL", "0.10")
    assert filters["MIN_NOTIONAL"]["notional"] == "100"
