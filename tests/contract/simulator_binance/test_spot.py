"""Spot over the wire with the real client: orders, queries, refusals."""

import pytest

from tests.contract.simulator_binance.venue import BinanceAPIException, Venue, limit, market, refusal


def test_the_meta_data_name_filters_and_limits(venue: Venue) -> None:
    info = venue.client().get_exchange_info()
    (symbol,) = info["symbols"]
    filters = {item["filterType"]: item for item in symbol["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"]["stepSize"] == "0.00001000"
    assert filters["NOTIONAL"]["minNotional"] == "5.00000000"
    assert {item["rateLimitType"] for item in info["rateLimits"]} == {
        "REQUEST_WEIGHT",
        "ORDERS",
        "RAW_REQUESTS",
    }


def test_a_market_order_answers_with_its_fills(venue: Venue) -> None:
    client = venue.client()
    reply = client.create_order(**market("BUY", newClientOrderId="now"))
    assert (reply["status"], reply["executedQty"], len(reply["fills"])) == ("FILLED", "0.01000000", 1)
    (fill,) = client.get_my_trades(symbol="BTCUSDT")
    assert (fill["orderId"], fill["commissionAsset"], fill["isBuyer"]) == (reply["orderId"], "BTC", True)
    balances = {item["asset"]: item["free"] for item in client.get_account()["balances"]}
    assert balances["BTC"] == "1.00999000"


def test_an_order_can_be_looked_up_by_either_id_and_a_cancel_names_its_own(venue: Venue) -> None:
    client = venue.client()
    placed = client.create_order(**limit("BUY", venue.last() - 500, newClientOrderId="mine"))
    by_name = client.get_order(symbol="BTCUSDT", origClientOrderId="mine")
    assert by_name == client.get_order(symbol="BTCUSDT", orderId=placed["orderId"])
    assert client.get_open_orders(symbol="BTCUSDT") == [by_name]
    canceled = client.cancel_order(symbol="BTCUSDT", origClientOrderId="mine")
    assert (canceled["origClientOrderId"], canceled["status"]) == ("mine", "CANCELED")
    assert canceled["clientOrderId"] != "mine"
    assert client.get_open_orders() == []
    assert refusal(client.cancel_order, symbol="BTCUSDT", origClientOrderId="mine")[:2] == (400, -2011)
    assert refusal(client.get_order, symbol="BTCUSDT", origClientOrderId="never")[:2] == (400, -2013)


def test_a_client_id_is_unique_among_open_orders_only(venue: Venue) -> None:
    client = venue.client()
    away = venue.last() - 500
    client.create_order(**limit("BUY", away, newClientOrderId="same"))
    repeated = refusal(client.create_order, **limit("BUY", away, newClientOrderId="same"))
    assert repeated == (400, -2010, "Duplicate order sent.")
    client.cancel_order(symbol="BTCUSDT", origClientOrderId="same")
    assert client.create_order(**market("BUY", newClientOrderId="same"))["status"] == "FILLED"
    assert client.create_order(**market("BUY", newClientOrderId="same"))["status"] == "FILLED"
    assert len(venue.orders()) == 3


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"price": "90000.001"}, -1013, "Filter failure: PRICE_FILTER"),
        ({"price": "10.00"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        ({"quantity": "0.000015"}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "0.00001"}, -1013, "Filter failure: NOTIONAL"),
        ({"quantity": "100"}, -2010, "Account has insufficient balance for requested action."),
        ({"type": "ICEBERG"}, -1116, "Invalid orderType."),
        ({"side": "HOLD"}, -1117, "Invalid side."),
        ({"symbol": "NOPE"}, -1121, "Invalid symbol."),
        ({"quantity": "one"}, -1100, "Illegal characters found in parameter 'quantity'."),
        ({"stopPrice": "1"}, -1106, "Parameter 'stopPrice' sent when not required."),
        ({"newClientOrderId": "with space"}, -1100, "Illegal characters found in parameter"),
    ],
)
def test_a_wrong_order_is_refused_by_code_and_never_in_the_book(
    venue: Venue, changes: dict[str, str], code: int, text: str
) -> None:
    got = refusal(venue.client().create_order, **(limit("BUY", 90_000) | changes))
    assert got[:2] == (400, code)
    assert got[2].startswith(text)
    assert venue.orders() == []


def test_a_market_order_beyond_its_own_lot_size_is_refused(venue: Venue) -> None:
    got = refusal(venue.client().create_order, **market("SELL", quantity="101"))
    assert got == (400, -1013, "Filter failure: MARKET_LOT_SIZE")


def test_a_test_order_is_checked_and_not_placed(venue: Venue) -> None:
    client = venue.client()
    assert client.create_test_order(**market("BUY")) == {}
    assert refusal(client.create_test_order, **market("BUY", quantity="100"))[1] == -2010
    assert venue.orders() == []


def test_cancel_replace_does_both_halves_in_one_call(venue: Venue) -> None:
    client = venue.client()
    client.create_order(**limit("BUY", venue.last() - 500, newClientOrderId="old"))
    terms = limit("BUY", venue.last() - 400, newClientOrderId="new")
    reply = client.cancel_replace_order(
        cancelReplaceMode="STOP_ON_FAILURE", cancelOrigClientOrderId="old", **terms
    )
    assert (reply["cancelResult"], reply["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    assert venue.statuses() == {"old": "CANCELED", "new": "NEW"}


@pytest.mark.parametrize(
    ("mode", "old", "quantity", "outcome"),
    [
        ("STOP_ON_FAILURE", "old", "100", (409, -2021, "SUCCESS", "FAILURE")),
        ("ALLOW_FAILURE", "gone", "0.01", (409, -2021, "FAILURE", "SUCCESS")),
        ("STOP_ON_FAILURE", "gone", "0.01", (400, -2022, "FAILURE", "NOT_ATTEMPTED")),
        ("ALLOW_FAILURE", "gone", "100", (409, -2022, "FAILURE", "FAILURE")),
    ],
)
def test_cancel_replace_tells_which_half_failed(
    venue: Venue, mode: str, old: str, quantity: str, outcome: tuple[int, int, str, str]
) -> None:
    client = venue.client()
    client.create_order(**limit("BUY", venue.last() - 500, newClientOrderId="old"))
    terms = limit("BUY", venue.last() - 400, newClientOrderId="new", quantity=quantity)
    with pytest.raises(BinanceAPIException) as failed:
        client.cancel_replace_order(cancelReplaceMode=mode, cancelOrigClientOrderId=old, **terms)
    body = failed.value.response.json()
    halves = (body["data"]["cancelResult"], body["data"]["newOrderResult"])
    assert (failed.value.status_code, failed.value.code, *halves) == outcome
    statuses = {"old": "NEW" if old == "gone" else "CANCELED"}
    assert venue.statuses() == statuses | ({"new": "NEW"} if halves[1] == "SUCCESS" else {})


def test_a_pair_is_placed_listed_and_canceled_whole(venue: Venue) -> None:
    client = venue.client()
    last = venue.last()
    client.create_oco_order(
        symbol="BTCUSDT",
        side="SELL",
        quantity="0.01",
        listClientOrderId="pair",
        aboveType="LIMIT_MAKER",
        abovePrice=f"{last + 900:.2f}",
        aboveClientOrderId="up",
        belowType="STOP_LOSS_LIMIT",
        belowStopPrice=f"{last - 900:.2f}",
        belowPrice=f"{last - 950:.2f}",
        belowTimeInForce="GTC",
        belowClientOrderId="down",
    )
    assert {order["clientOrderId"] for order in client.get_open_orders()} == {"up", "down"}
    shown = client._get("orderList", True, data={"origClientOrderId": "pair"})
    assert (shown["contingencyType"], shown["listOrderStatus"]) == ("OCO", "EXECUTING")
    named = {"symbol": "BTCUSDT", "listClientOrderId": "pair"}
    gone = client._delete("orderList", True, data=named)  # the library has no name for either
    assert {report["status"] for report in gone["orderReports"]} == {"CANCELED"}
    assert venue.statuses() == {"up": "CANCELED", "down": "CANCELED"}


def test_a_quantity_can_be_lowered_in_place(venue: Venue) -> None:
    client = venue.client()
    placed = client.create_order(**limit("BUY", venue.last() - 500, newClientOrderId="less"))
    change = {"symbol": "BTCUSDT", "orderId": placed["orderId"], "newQty": "0.006"}
    client._put("order/amend/keepPriority", True, data=change)  # the library has no name for it
    assert client.get_order(symbol="BTCUSDT", origClientOrderId="less")["origQty"] == "0.00600000"


def test_all_open_orders_of_a_symbol_can_be_canceled(venue: Venue) -> None:
    client = venue.client()
    for name in ("a", "b"):
        client.create_order(**limit("BUY", venue.last() - 500, newClientOrderId=name))
    client.cancel_all_open_orders(symbol="BTCUSDT")
    assert venue.statuses() == {"a": "CANCELED", "b": "CANCELED"}


def test_a_resting_order_fills_as_the_real_market_moves(venue: Venue) -> None:
    client = venue.client()
    client.create_order(**limit("BUY", venue.last() - 30, newClientOrderId="wait"))
    venue.tick_until(lambda: venue.statuses()["wait"] == "FILLED")
    (fill,) = client.get_my_trades(symbol="BTCUSDT")
    assert fill["isMaker"]


def test_a_new_announcement_changes_what_is_accepted(venue: Venue) -> None:
    client = venue.client()
    change = {"market": "spot", "symbol": "BTCUSDT"}
    try:
        venue.post("symbols", change | {"status": "BREAK"})
        assert refusal(client.create_order, **market("BUY"))[1:] == (-1013, "Market is closed.")
        venue.post("symbols", change | {"status": "TRADING", "tick": "1"})
        assert client.get_exchange_info()["symbols"][0]["filters"][0]["tickSize"] == "1.00000000"
        got = refusal(client.create_order, **limit("BUY", 90_000.5))
        assert got[2] == "Filter failure: PRICE_FILTER"
    finally:
        venue.post("symbols", change | {"status": "TRADING", "tick": "0.01"})


def test_an_order_of_the_human_in_the_venues_app_shows_in_the_accounts_book(venue: Venue) -> None:
    params = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.01"}
    venue.post("external", {"account": f"u{venue.number}", "market": "spot", "params": params})
    (order,) = venue.client().get_all_orders(symbol="BTCUSDT")
    assert (order["clientOrderId"][:4], order["status"]) == ("web_", "FILLED")


def test_klines_come_by_count_and_by_window(venue: Venue) -> None:
    client = venue.client()
    newest = client.get_klines(symbol="BTCUSDT", interval="1m", limit=3)
    assert [row[0] - newest[0][0] for row in newest] == [0, 60_000, 120_000]
    window = client.get_klines(
        symbol="BTCUSDT", interval="1m", startTime=newest[0][0], endTime=newest[1][0], limit=10
    )
    assert window == newest[:2]
