"""Orders and reports through the real client."""

import asyncio
import json
from typing import Any

import httpx

from brokers.simulators.kotak.limiter import RateLimiter
from tests.contract.simulator_kotak.broker import Broker, order
from tests.waiting import eventually

LIFE = ["put order req received", "validation pending", "open pending", "open", "complete"]


def place(broker: Broker, client: Any, **changes: str | None) -> dict[str, Any]:
    """Place an order, wait until the broker has dealt with it, return its book row."""
    contract = broker.at_the_money()
    reply = client.place_order(**order(contract["display_symbol"], **changes))
    assert reply["stat"] == "Ok"
    broker.settle()
    return row(broker, client, reply["nOrdNo"])


def row(broker: Broker, client: Any, number: str) -> dict[str, Any]:
    """Return the newest book row of an order, read past the book's lag."""
    broker.post("faults", {"faults": [{"kind": "book_lag", "seconds": 0}]})
    (found,) = client.order_report(order_id=number)["data"]
    return dict(found)


def test_a_market_order_goes_through_all_states_and_into_every_report(broker: Broker) -> None:
    client = broker.trader()
    contract = broker.at_the_money()
    shown = place(broker, client, tag="S1-1")
    bid = contract["depth"]["buy"][0]["price"]
    assert (shown["ordSt"], shown["GuiOrdId"], shown["fldQty"], shown["unFldSz"]) == (
        "complete",
        "S1-1",
        65,
        0,
    )
    assert (shown["prcTp"], shown["avgPrc"]) == ("L", bid)
    history = client.order_history(shown["nOrdNo"])["data"]["data"]
    assert [state["ordSt"] for state in reversed(history)] == LIFE
    (fill,) = client.trade_report()["data"]
    assert (fill["nOrdNo"], fill["avgPrc"], fill["fldQty"]) == (shown["nOrdNo"], bid, 65)
    assert (fill["tok"], fill["prc"], fill["qty"]) == ("", "", 0)
    (position,) = client.positions()["data"]
    assert (position["flSellQty"], position["flBuyQty"], position["tok"]) == ("65", "0", shown["tok"])
    assert position["sellAmt"] == fill_amount(fill)


def fill_amount(fill: dict[str, Any]) -> str:
    """Return what one fill is worth, as the broker writes it."""
    paise = round(float(fill["avgPrc"]) * 100) * fill["fldQty"]
    return f"{paise // 100}.{paise % 100:02d}"


def test_the_control_books_tell_the_same_as_the_wire(broker: Broker) -> None:
    client = broker.trader()
    shown = place(broker, client, tag="S1-1")
    (truth,) = broker.get("orders")
    assert (truth["broker_order_id"], truth["tag"], truth["avg_px"]) == (
        shown["nOrdNo"],
        "S1-1",
        shown["avgPrc"],
    )
    assert truth["status"] == "complete"
    (fill,), (position,) = broker.get("fills"), broker.get("positions")
    assert (fill["px"], fill["qty"], position["net"]) == (shown["avgPrc"], 65, -65)


def test_an_empty_book_is_5203_and_not_a_failure(broker: Broker) -> None:
    client = broker.trader()
    for report in (client.order_report(), client.trade_report(), client.positions()):
        assert (report["stCode"], report["stat"]) == (5203, "Not_Ok")
    assert client.holdings() == {"data": []}


def test_a_stop_can_be_modified_and_canceled_and_then_its_tag_has_changed(broker: Broker) -> None:
    client = broker.trader()
    price = float(broker.at_the_money()["ltp"])
    trigger, limit = f"{round(price * 1.2):.2f}", f"{round(price * 1.25):.2f}"
    stop = place(
        broker, client, order_type="SL", trigger_price=trigger, price=limit, transaction_type="B", tag="t1"
    )
    assert (stop["ordSt"], stop["trgPrc"], stop["prc"]) == ("trigger pending", trigger, limit)
    number = stop["nOrdNo"]
    changed = client.modify_order(
        order_id=number,
        price=f"{round(price * 1.3):.2f}",
        order_type="SL",
        quantity="65",
        validity="DAY",
        trigger_price=trigger,
    )
    assert changed == {"stat": "Ok", "nOrdNo": number, "stCode": 200}
    broker.settle()
    assert row(broker, client, number)["GuiOrdId"].endswith("-ADMINAPI")
    assert client.cancel_order(number)["stat"] == "Ok"
    broker.settle()
    ended = row(broker, client, number)
    assert (ended["ordSt"], ended["cnlQty"], ended["unFldSz"]) == ("cancelled", 65, 0)
    oldest = client.order_history(number)["data"]["data"][-1]
    assert oldest["GuiOrdId"] == "t1"
    assert client.cancel_order(number)["stCode"] == 1021


def test_ok_means_received_and_the_rejection_comes_in_the_book(broker: Broker) -> None:
    client = broker.trader()
    rejected = place(broker, client, order_type="SL-M", trigger_price="50", price="0")
    assert rejected["ordSt"] == "rejected"
    assert "Algo Id not allowed" in rejected["rejRsn"]


def test_a_tag_is_taken_once_a_day_per_customer(broker: Broker) -> None:
    first, second = broker.trader(1), broker.trader(2)
    place(broker, first, tag="same")
    contract = broker.at_the_money()["display_symbol"]
    assert first.place_order(**order(contract, tag="same"))["stCode"] == 5204
    assert second.place_order(**order(contract, tag="same"))["stCode"] == 200


def test_the_front_refuses_at_once_what_it_cannot_read(broker: Broker) -> None:
    client = broker.trader()
    refusals: list[tuple[dict[str, str], int]] = [
        ({"disclosed_quantity": "x"}, 1009),
        ({"trading_symbol": "NOSUCH"}, 1009),
        ({"order_type": "L", "price": "0.001"}, 1009),
        ({"product": "CNC"}, 5202),
    ]
    for changes, code in refusals:
        assert client.place_order(**(order("NIFTY1910310850CE") | changes))["stCode"] == code
    assert broker.get("orders") == []


def test_numbers_in_jdata_and_missing_headers_are_refused(broker: Broker) -> None:
    configuration = broker.trader().configuration
    headers = {
        "Authorization": "consumer-key-001",
        "Sid": configuration.edit_sid,
        "Auth": configuration.edit_token,
    }
    cancel = "/quick/order/cancel"
    numbers = {"jData": json.dumps({"on": 1, "am": "NO"})}
    assert broker.http.post(cancel, headers=headers, data=numbers).json()["stCode"] == 1007
    texts = {"jData": json.dumps({"on": "1", "am": "NO"})}
    assert broker.http.post(cancel, headers=headers, data=texts).json()["stCode"] == 1021
    del headers["Authorization"]
    assert broker.http.post(cancel, headers=headers, data=texts).json()["stCode"] == 100008
    del headers["Sid"]
    assert broker.http.post(cancel, headers=headers, data=texts).json()["stCode"] == 100022


def test_a_burst_of_orders_is_throttled_for_that_customer_alone(broker: Broker) -> None:
    configuration, other = broker.trader(1).configuration, broker.trader(2)
    headers = {
        "Authorization": "consumer-key-001",
        "Sid": configuration.edit_sid,
        "Auth": configuration.edit_token,
    }
    eventually(lambda: 429 in burst(broker, headers, 40))
    assert other.cancel_order("1")["stCode"] == 1021


def test_ten_calls_in_a_rolling_second_are_admitted() -> None:
    now = [0.0]
    limiter = RateLimiter(lambda: now[0])
    assert [limiter.admits("writes", "AA001", 10) for _call in range(11)] == [True] * 10 + [False]
    assert limiter.admits("writes", "AA002", 10)
    now[0] = 0.999
    assert not limiter.admits("writes", "AA001", 10)
    now[0] = 1.0
    assert limiter.admits("writes", "AA001", 10)


def burst(broker: Broker, headers: dict[str, str], count: int) -> list[int]:
    """Send many cancels at once; return the HTTP statuses."""

    async def run() -> list[int]:
        async with httpx.AsyncClient(base_url=str(broker.http.base_url), timeout=30) as client:
            body = {"jData": json.dumps({"on": "1", "am": "NO"})}
            calls = [client.post("/quick/order/cancel", headers=headers, data=body) for _ in range(count)]
            return [reply.status_code for reply in await asyncio.gather(*calls)]

    return asyncio.run(run())


def test_limits_and_margin_follow_the_book(broker: Broker) -> None:
    client = broker.trader()
    before = client.limits()
    sold = place(broker, client)
    after = client.limits()
    assert float(before["Net"]) - float(after["Net"]) == float(after["MarginUsed"]) == 120_000.0
    asked = {
        "exchange_segment": "nse_fo",
        "price": "10",
        "order_type": "L",
        "product": "MIS",
        "quantity": "65",
        "instrument_token": sold["tok"],
    }
    assert client.margin_required(transaction_type="B", **asked)["data"]["reqdMrgn"] == "0.00"
    assert client.margin_required(transaction_type="S", **asked)["data"]["reqdMrgn"] == "120000.00"


def test_quotes_and_the_scrip_search_work_without_a_login(broker: Broker) -> None:
    client = broker.client()
    (found,) = client.search_scrip("nse_fo", "nifty", "03JAN2019", "CE", "10850")
    assert (found["pTrdSymbol"], found["pExpiryDate"], found["lLotSize"]) == (
        "NIFTY1910310850CE",
        "03Jan2019",
        65,
    )
    tokens = [
        {"exchange_segment": "nse_cm", "instrument_token": "Nifty 50"},
        {"exchange_segment": "nse_fo", "instrument_token": str(found["pSymbol"])},
    ]
    index, option = client.quotes(instrument_tokens=tokens)
    assert (index["ltp"], index["ohlc"]["open"]) == ("10868.70", "10861.20")
    assert float(option["depth"]["buy"][0]["price"]) < float(option["depth"]["sell"][0]["price"])
    assert len(client.expiries("nse_fo", "NIFTY")["data"]) == 2
