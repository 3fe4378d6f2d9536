"""Faults: what the client sees, what the broker did, and that draws repeat."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from neo_api_client.exceptions import ApiException
from neo_api_client.websocket.feed import WsToken

from brokers.simulators.kotak.catalog import DRAWN
from brokers.simulators.kotak.faults import FaultPlan
from tests.contract.simulator_kotak.broker import Broker, order
from tests.contract.simulator_kotak.market import Floor
from tests.contract.simulator_kotak.test_feeds import listen, until
from tests.waiting import eventually


def sell(broker: Broker, client: Any, **changes: str) -> dict[str, Any]:
    """Place a market order."""
    return dict(client.place_order(**order(broker.at_the_money()["display_symbol"], **changes)))


def test_a_lost_reply_looks_like_a_lost_request_but_the_order_is_there(broker: Broker) -> None:
    client = broker.trader()
    broker.post("faults", {"faults": [{"kind": "ack_lost", "endpoint": "place", "count": 1}]})
    lost = sell(broker, client, tag="lost")["error"]
    assert isinstance(lost, ApiException)
    assert type(lost.__cause__).__name__ in {"RemoteProtocolError", "ReadError"}
    assert [item["tag"] for item in broker.get("orders")] == ["lost"]
    broker.post("faults", {"faults": [{"kind": "request_lost", "endpoint": "place", "count": 1}]})
    never = sell(broker, client, tag="never")["error"]
    assert type(never.__cause__) is type(lost.__cause__)
    assert [item["tag"] for item in broker.get("orders")] == ["lost"]
    assert sell(broker, client, tag="fine")["stat"] == "Ok"
    assert broker.get("faults")["by_kind"] == {"ack_lost": 1, "request_lost": 1}


def test_a_late_order_is_not_in_the_book_when_the_client_gives_up_and_appears_after(broker: Broker) -> None:
    client = broker.trader()
    rules = [{"kind": "ack_lost", "endpoint": "place"}, {"kind": "late_placement", "seconds": 1.0}]
    broker.post("faults", {"faults": rules})
    assert isinstance(sell(broker, client, tag="late")["error"], ApiException)
    assert (broker.get("orders"), broker.get("clock")["pending"]) == ([], 1)
    eventually(lambda: broker.get("orders"))
    broker.settle()
    assert [(item["tag"], item["status"]) for item in broker.get("orders")] == [("late", "complete")]


def test_a_server_error_may_hide_an_order_that_was_taken(broker: Broker) -> None:
    client = broker.trader()
    broker.post("faults", {"faults": [{"kind": "http_5xx_html", "endpoint": "place", "accepted": True}]})
    assert type(sell(broker, client, tag="taken")["Error"]).__name__ == "JSONDecodeError"
    broker.post("faults", {"faults": [{"kind": "http_5xx_json", "endpoint": "place"}]})
    assert sell(broker, client, tag="not taken")["stCode"] == 503
    broker.post("faults", {"faults": [{"kind": "html_200", "endpoint": "place"}]})
    assert "Error" in sell(broker, client, tag="page")
    broker.post("faults", {"faults": [{"kind": "http_429", "endpoint": "place"}]})
    assert sell(broker, client, tag="throttled")["code"] == 429
    assert [item["tag"] for item in broker.get("orders")] == ["taken"]


def test_a_fault_can_be_bound_to_a_customer_and_a_time_of_day(broker: Broker) -> None:
    first, second = broker.trader(1), broker.trader(2)
    rule = {"kind": "http_5xx_json", "ucc": ["AA001"], "from": "2019-01-02T09:30:00+05:30"}
    broker.post("faults", {"faults": [rule | {"to": "2019-01-02T09:31:00+05:30"}]})
    assert first.limits()["stat"] == "Ok"
    broker.freeze("09:30:00")
    assert first.limits()["stCode"] == 503
    assert second.limits()["stat"] == "Ok"
    broker.freeze("09:31:00")
    assert first.limits()["stat"] == "Ok"


def test_a_stale_book_hides_orders_or_shows_an_older_state(broker: Broker) -> None:
    client = broker.trader()
    number = sell(broker, client)["nOrdNo"]
    broker.settle()
    broker.post("faults", {"faults": [{"kind": "book_lag", "seconds": 60}]})
    assert client.order_report()["stCode"] == 5203
    broker.post("faults", {"faults": [{"kind": "book_empty", "endpoint": "orders"}]})
    assert client.order_report()["stCode"] == 5203
    # Every report lags by a moment; only the order book is empty by a fault.
    eventually(lambda: client.positions()["stat"] == "Ok")
    broker.post("faults", {"faults": []})
    assert client.order_report(order_id=number)["data"][0]["ordSt"] == "complete"


def test_a_fault_can_drop_the_order_feed_and_lose_or_double_its_updates(broker: Broker) -> None:
    client = broker.trader()

    async def scene(kind: str) -> list[str]:
        feed = client.create_order_feed(max_reconnect_attempts=0)
        frames = listen(feed)
        await feed.connect()
        await until(lambda: frames)
        broker.post("faults", {"faults": [{"kind": kind, "endpoint": "realtime"}]})
        await asyncio.to_thread(sell, broker, client)
        await asyncio.to_thread(broker.settle)
        if kind == "feed_drop":
            await until(lambda: not feed.is_connected)
        elif kind == "feed_duplicate":
            await until(lambda: sum("position" in frame for frame in frames) == 2)
        await feed.close()
        return frames[1:]

    assert asyncio.run(scene("feed_lost")) == []
    doubled = asyncio.run(scene("feed_duplicate"))
    assert doubled[::2] == doubled[1::2]
    assert asyncio.run(scene("feed_drop")) == []


def test_a_market_feed_can_stand_still_while_the_market_moves(broker: Broker) -> None:
    client = broker.trader()

    async def scene() -> list[Any]:
        heard: list[Any] = []
        feed = client.create_websocket()
        feed.on_message = heard.append
        await feed.connect()
        await feed.subscribe_index([WsToken("nse_cm", "Nifty 50")])
        await until(lambda: heard)
        broker.post("faults", {"faults": [{"kind": "stale_quotes"}]})
        await asyncio.to_thread(broker.freeze, "09:23:00")
        broker.post("faults", {"faults": []})
        await asyncio.to_thread(broker.freeze, "09:23:15")
        await until(lambda: len(heard) > 1)
        await feed.close()
        return heard

    heard = asyncio.run(scene())
    assert len(heard) == 2
    assert heard[1].last_trade_time - heard[0].last_trade_time == 165


def test_an_unknown_fault_or_profile_is_refused_with_the_known_ones(broker: Broker) -> None:
    wrong = broker.http.post("/_sim/faults", json={"faults": [{"kind": "gremlin"}]})
    assert (wrong.status_code, "ack_lost" in wrong.json()["error"]) == (400, True)
    assert broker.http.post("/_sim/faults", json={"profile": "hail"}).status_code == 400


def draws(plan: FaultPlan, tags: list[str]) -> dict[str, tuple[bool, bool]]:
    """Return what hits each tag."""
    return {
        tag: (
            plan.draw("ack_lost", "place", "AA001", tag) is not None,
            plan.draw("request_lost", "place", "AA001", tag) is not None,
        )
        for tag in tags
    }


def test_draws_depend_on_the_tag_and_the_seed_not_on_the_order_of_arrival() -> None:
    tags = [f"tag{n}" for n in range(1_000)]
    clock = Floor().sim.clock.now
    forward = draws(FaultPlan("open", 7, clock), tags)
    assert forward == draws(FaultPlan("open", 7, clock), tags[::-1])
    assert forward != draws(FaultPlan("open", 8, clock), tags)
    lost = sum(ack for ack, _request in forward.values())
    assert 3 <= lost <= 25


@pytest.mark.parametrize("profile", ["open", "storm"])
def test_a_profile_repeats_its_day_by_seed(profile: str) -> None:
    clock = Floor().sim.clock.now

    def day(seed: int) -> list[tuple[str, float] | None]:
        plan = FaultPlan(profile, seed, clock)
        hits = [
            plan.draw(kind, endpoint, f"AA{number:03d}")
            for number in range(40)
            for kind in sorted(DRAWN)
            for endpoint in ("place", "modify", "cancel", "login", "orders", "realtime")
        ]
        return [(hit.kind, hit.seconds) if hit is not None else None for hit in hits]

    assert day(7) == day(7)
    assert day(7) != day(8)


def test_a_calm_day_injects_nothing() -> None:
    plan = FaultPlan("calm", 7, Floor().sim.clock.now)
    assert not any(
        plan.draw(kind, "place", "AA001") for kind in ("ack_lost", "hang", "login_fail", "feed_lost")
    )
    assert not plan.injected


@pytest.mark.parametrize("kind", ["login_slow", "login_fail"])
def test_at_the_open_a_share_of_logins_fails_or_is_slow_once_each(kind: str) -> None:
    plan = FaultPlan("open", 7, Floor().sim.clock.now)
    uccs = [f"AA{n:03d}" for n in range(200)]
    hit = {ucc for ucc in uccs if plan.draw(kind, "login", ucc)}
    assert 1 <= len(hit) <= 60
    again = {ucc for ucc in hit for _attempt in range(20) if plan.draw(kind, "login", ucc)}
    assert not again


def test_an_open_profile_can_be_started_from_the_command_line(tmp_path: Path) -> None:
    broker = Broker(tmp_path, faults="open", seed=3)
    try:
        assert broker.get("faults")["profile"] == "open"
    finally:
        broker.stop()
