"""Faults: what the client sees, what the venue did, and that draws repeat."""

import asyncio
import json
from typing import Any

import pytest
import requests
import websockets

from brokers.simulators.binance.faults import COMMANDS, KINDS, FaultPlan
from brokers.simulators.binance.profiles import PROFILES
from tests.contract.simulator_binance.floor import Floor
from tests.contract.simulator_binance.test_streams import opened, play, take, wait_for
from tests.contract.simulator_binance.venue import (
    BinanceAPIException,
    BinanceRequestException,
    Venue,
    limit,
    market,
    refusal,
)
from tests.waiting import eventually

PLACE = {"endpoint": "place"}


def place(venue: Venue, name: str, **changes: object) -> Any:
    """Buy 0.01 BTC at the market."""
    return venue.client().create_order(**market("BUY", newClientOrderId=name, **changes))


def injected(venue: Venue, kind: str) -> int:
    """Return how often a fault has struck."""
    return int(venue.get("faults")["by_kind"].get(kind, 0))


def test_a_lost_reply_looks_like_a_lost_request_but_the_order_is_there(venue: Venue) -> None:
    venue.inject({"kind": "ack_lost", "count": 1} | PLACE, {"kind": "request_lost", "count": 1} | PLACE)
    with pytest.raises(requests.ConnectionError):
        place(venue, "never")
    assert venue.statuses() == {}
    with pytest.raises(requests.ConnectionError):
        place(venue, "lost")
    assert venue.statuses() == {"lost": "FILLED"}
    assert place(venue, "fine")["status"] == "FILLED"
    assert (injected(venue, "ack_lost"), injected(venue, "request_lost")) == (1, 1)


def test_half_a_reply_hides_an_order_that_was_taken(venue: Venue) -> None:
    venue.inject({"kind": "half_body"} | PLACE)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        place(venue, "half")
    assert venue.statuses() == {"half": "FILLED"}


def test_a_late_order_is_not_there_when_the_client_gives_up_and_appears_after(venue: Venue) -> None:
    venue.inject({"kind": "ack_lost"} | PLACE, {"kind": "late_placement", "seconds": 0.5})
    client = venue.client()
    with pytest.raises(requests.ConnectionError):
        place(venue, "late")
    assert refusal(client.get_order, symbol="BTCUSDT", origClientOrderId="late")[1] == -2013
    assert venue.get("clock")["pending"] == 1
    eventually(lambda: venue.statuses() == {"late": "FILLED"})
    assert venue.get("clock")["pending"] == 0


def test_a_late_order_never_comes_later_than_its_window_and_the_engines_bound(venue: Venue) -> None:
    venue.post("settings", {"engine_bound_s": -3600})  # its window is over before it has begun
    venue.inject({"kind": "ack_lost"} | PLACE, {"kind": "late_placement", "seconds": 0.1})
    with pytest.raises(requests.ConnectionError):
        place(venue, "late")
    eventually(lambda: venue.get("clock")["pending"] == 0)
    assert venue.orders() == []


def test_an_overloaded_engine_still_takes_what_closes_a_futures_position(venue: Venue) -> None:
    client = venue.client()
    client.futures_create_order(**market("BUY"))
    venue.inject({"kind": "code_1008", "endpoint": "writes"})
    assert refusal(client.futures_create_order, **market("SELL"))[1] == -1008
    client.futures_create_order(**market("SELL", reduceOnly="true"))
    assert client.futures_position_information() == []


def test_a_hanging_request_ends_in_the_clients_timeout_and_is_too_old_afterwards(venue: Venue) -> None:
    venue.inject({"kind": "hang", "seconds": 0.6} | PLACE)
    client = venue.client()
    client.REQUEST_RECVWINDOW = 300
    assert refusal(client.create_order, **market("BUY", newClientOrderId="old"))[1] == -1021
    client.REQUEST_RECVWINDOW = 10_000
    venue.inject({"kind": "hang", "seconds": 1.0} | PLACE)
    with pytest.raises(requests.Timeout):
        place(venue, "slow", requests_params={"timeout": 0.2})
    eventually(lambda: venue.statuses() == {"slow": "FILLED"})


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("http_5xx_html", 502, 0),
        ("http_5xx_json", 503, -1000),
        ("code_1000", 500, -1000),
        ("code_1001", 503, -1001),
        ("code_1006", 500, -1006),
        ("code_1007", 503, -1007),
    ],
)
def test_a_server_error_hides_either_outcome(venue: Venue, kind: str, status: int, code: int) -> None:
    venue.inject({"kind": kind, "count": 1, "accepted": True} | PLACE, {"kind": kind, "count": 1} | PLACE)
    client = venue.client()
    for name in ("taken", "not"):
        got = refusal(client.create_order, **market("BUY", newClientOrderId=name))
        assert got[:2] == (status, code)
    assert venue.statuses() == {"taken": "FILLED"}
    venue.inject({"kind": kind, "count": 1, "accepted": True, "endpoint": "futures.place"})
    assert refusal(client.futures_create_order, **market("BUY"))[:2] == (status, code)
    assert len(venue.orders()) == 2


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("http_429", 429, -1003),
        ("http_418", 418, -1003),
        ("http_403", 403, 0),
        ("code_1008", 503, -1008),
        ("code_1016", 503, -1016),
        ("code_2015", 401, -2015),
        ("outage", 503, 0),
    ],
)
def test_a_refusal_of_the_gateway_places_nothing(venue: Venue, kind: str, status: int, code: int) -> None:
    venue.inject({"kind": kind, "endpoint": "writes"})
    client = venue.client()
    assert refusal(client.create_order, **market("BUY"))[:2] == (status, code)
    assert client.get_account()["canTrade"]
    assert venue.orders() == []


def test_a_throttled_reply_may_say_when_to_come_back(venue: Venue) -> None:
    venue.inject(
        {"kind": "http_429", "seconds": 7, "count": 1} | PLACE, {"kind": "http_429", "count": 1} | PLACE
    )
    waits = []
    for _call in range(2):
        with pytest.raises(BinanceAPIException) as refused:
            place(venue, "no")
        waits.append(refused.value.response.headers.get("Retry-After"))
    assert waits == ["7", None]


def test_a_page_in_place_of_json_is_ambiguous(venue: Venue) -> None:
    venue.inject({"kind": "html_200", "accepted": True} | PLACE)
    with pytest.raises(BinanceRequestException):
        place(venue, "page")
    assert venue.statuses() == {"page": "FILLED"}


def test_a_redirected_order_is_placed_by_a_client_that_follows(venue: Venue) -> None:
    venue.inject({"kind": "redirect", "count": 2} | PLACE)
    with pytest.raises(BinanceAPIException) as refused:
        place(venue, "no", requests_params={"allow_redirects": False})
    assert refused.value.status_code == 307
    assert venue.orders() == []
    assert place(venue, "followed")["status"] == "FILLED"


def test_reports_can_be_down_while_orders_go_through_and_the_other_way_round(venue: Venue) -> None:
    client = venue.client()
    venue.inject({"kind": "outage", "endpoint": "reads"})
    assert client.create_order(**market("BUY", newClientOrderId="up"))["status"] == "FILLED"
    assert refusal(client.get_account)[0] == 503
    venue.inject({"kind": "outage", "endpoint": "futures.positions"})
    assert refusal(client.futures_position_information)[0] == 503
    assert client.futures_account_balance()
    venue.inject({"kind": "feed_refused"})
    with pytest.raises(websockets.InvalidStatus):
        asyncio.run(connect(venue))
    assert client.get_account()["canTrade"]


async def connect(venue: Venue) -> None:
    """Open a stream and leave it."""
    async with websockets.connect(f"ws://127.0.0.1:{venue.port}/ws/btcusdt@trade"):
        return


def test_stale_reports_hide_young_orders_and_the_newest_fill(venue: Venue) -> None:
    client = venue.client()
    place(venue, "one")
    place(venue, "two")
    client.futures_create_order(**market("BUY"))
    venue.inject({"kind": "not_found_lag", "seconds": 60})
    assert refusal(client.get_order, symbol="BTCUSDT", origClientOrderId="one")[1] == -2013
    venue.inject({"kind": "book_lag", "seconds": 60})
    assert client.get_all_orders(symbol="BTCUSDT") == []
    venue.inject({"kind": "book_empty", "endpoint": "spot.all_orders"})
    assert client.get_all_orders(symbol="BTCUSDT") == []
    venue.inject({"kind": "fills_lag"}, {"kind": "positions_stale"})
    assert len(client.get_my_trades(symbol="BTCUSDT")) == 1
    assert client.futures_position_information() == []
    venue.inject()
    assert len(client.get_all_orders(symbol="BTCUSDT")) == len(client.get_my_trades(symbol="BTCUSDT")) == 2
    assert len(client.futures_position_information()) == 1


def test_a_fill_can_win_the_race_against_a_cancel(venue: Venue) -> None:
    client = venue.client()
    client.create_order(**limit("BUY", venue.last() - 500, newClientOrderId="race"))
    venue.inject({"kind": "cancel_races_fill"})
    assert refusal(client.cancel_order, symbol="BTCUSDT", origClientOrderId="race")[1] == -2011
    assert venue.statuses() == {"race": "FILLED"}


@pytest.mark.parametrize(
    ("kind", "statuses"),
    [
        ("replace_new_fails", {"old": "CANCELED"}),
        ("replace_cancel_fails", {"old": "NEW", "new": "NEW"}),
    ],
)
def test_either_half_of_a_cancel_replace_can_fail(venue: Venue, kind: str, statuses: dict[str, str]) -> None:
    client = venue.client()
    client.create_order(**limit("BUY", venue.last() - 500, newClientOrderId="old"))
    venue.inject({"kind": kind})
    terms = limit("BUY", venue.last() - 400, newClientOrderId="new")
    names = {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrigClientOrderId": "old"}
    assert refusal(client.cancel_replace_order, **names, **terms)[:2] == (409, -2021)
    assert venue.statuses() == statuses


def test_the_port_can_be_closed_and_opens_again_by_itself(venue: Venue) -> None:
    kept = venue.client()
    kept.ping()
    venue.inject({"kind": "refuse_connect", "seconds": 0.5})
    eventually(lambda: connects(venue) == "refused")
    assert kept.ping() == {}  # a connection that was open goes on
    eventually(lambda: connects(venue) == "open")
    assert injected(venue, "refuse_connect") >= 1


def connects(venue: Venue) -> str:
    """Return whether the port takes a new connection."""
    try:
        requests.get(f"{venue.base}/api/v3/ping", timeout=10)
    except requests.ConnectionError as error:
        return "refused" if "refused" in str(error) else str(error)
    return "open"


@pytest.mark.parametrize(("kind", "heard"), [("feed_lost", 0), ("feed_duplicate", 2), ("feed_flood", 400)])
def test_account_events_can_be_lost_doubled_or_flooded(venue: Venue, kind: str, heard: int) -> None:
    async def scene(client: Any, sockets: Any) -> list[str]:
        async with opened(sockets.user_socket()) as user:
            await asyncio.to_thread(venue.inject, {"kind": kind, "count": 1})
            await client.create_order(**market("BUY", newClientOrderId="x"))
            return [event["e"] for event in await take(user, heard + 1)]

    events = play(venue, scene, max_queue_size=10_000)
    assert events[:heard] == ["executionReport"] * heard
    assert events[heard] == "outboundAccountPosition"


@pytest.mark.parametrize("kind", ["feed_drop", "feed_close"])
def test_an_account_stream_can_end_with_news_on_the_way(venue: Venue, kind: str) -> None:
    async def scene(client: Any, sockets: Any) -> list[str]:
        async with opened(sockets.futures_user_socket()) as user:
            await wait_for(lambda: venue.get("feeds")["user_feeds"] == 1)
            await asyncio.to_thread(venue.inject, {"kind": kind, "count": 1})
            await client.futures_create_order(**market("BUY", newClientOrderId="unheard"))
            heard = [event["e"] for event in await take(user, 2)]
            assert heard[-1] == "error"
            return heard[:-1]

    before = {"feed_drop": ["error"], "feed_close": ["ORDER_TRADE_UPDATE"]}
    assert play(venue, scene) == before[kind]
    assert venue.statuses() == {"unheard": "FILLED"}


def test_an_account_stream_can_fall_silent_without_ending(venue: Venue) -> None:
    async def scene(client: Any, sockets: Any) -> tuple[int, int]:
        async with opened(sockets.futures_user_socket()) as user:
            await wait_for(lambda: venue.get("feeds")["user_feeds"] == 1)
            await asyncio.to_thread(venue.inject, {"kind": "feed_silence", "seconds": 600, "count": 1})
            await client.futures_create_order(**market("BUY"))
            await client.futures_create_order(**market("SELL"))
            return user._queue.qsize(), venue.get("feeds")["user_feeds"]

    assert play(venue, scene) == (0, 1)
    assert len(venue.orders()) == 2


def test_account_events_can_come_in_the_wrong_order(venue: Venue) -> None:
    async def scene(client: Any, sockets: Any) -> list[str]:
        async with opened(sockets.user_socket()) as user:
            await asyncio.to_thread(venue.inject, {"kind": "feed_reorder", "count": 1})
            await client.create_order(**market("BUY"))
            return [event["e"] for event in await take(user, 2)]

    assert play(venue, scene) == ["outboundAccountPosition", "executionReport"]


def test_a_flood_kills_the_librarys_default_queue(venue: Venue) -> None:
    async def scene(client: Any, sockets: Any) -> tuple[bool, int]:
        async with opened(sockets.futures_user_socket()) as user:
            await wait_for(lambda: venue.get("feeds")["user_feeds"] == 1)
            await asyncio.to_thread(venue.inject, {"kind": "feed_flood", "count": 1})
            await client.futures_create_order(**market("BUY"))
            await wait_for(lambda: not user._handle_read_loop)
            return bool(user._handle_read_loop), user._queue.qsize()

    running, left = play(venue, scene)
    assert (running, left) == (False, 101)


def test_an_unreadable_frame_ends_the_librarys_reading(venue: Venue) -> None:
    async def scene(client: Any, sockets: Any) -> list[str]:
        async with opened(sockets.futures_user_socket()) as user:
            await wait_for(lambda: venue.get("feeds")["user_feeds"] == 1)
            await asyncio.to_thread(venue.inject, {"kind": "feed_garbage", "count": 1})
            await client.futures_create_order(**market("BUY"))
            await wait_for(lambda: not user._handle_read_loop)
            return [user._queue.get_nowait()["e"] for _message in range(user._queue.qsize())]

    assert play(venue, scene) == ["ORDER_TRADE_UPDATE", "error"]


def test_market_streams_can_stand_still_while_the_market_moves(venue: Venue) -> None:
    async def scene(_client: Any, sockets: Any) -> list[int]:
        async with opened(sockets.trade_socket("BTCUSDT")) as trades:
            await asyncio.to_thread(venue.tick)
            await asyncio.to_thread(venue.inject, {"kind": "stale_quotes"})
            await asyncio.to_thread(venue.tick, 3)
            await asyncio.to_thread(venue.inject)
            await asyncio.to_thread(venue.tick)
            return [trade["t"] for trade in await take(trades, 2)]

    before, after = play(venue, scene)
    assert after - before == 4


def test_a_websocket_request_can_go_unanswered_with_either_outcome(venue: Venue) -> None:
    async def scene() -> list[int]:
        async with websockets.connect(f"ws://127.0.0.1:{venue.port}/ws-api/v3") as socket:
            for number, kind in enumerate(("request_lost", "ws_unanswered", "ws_late")):
                await asyncio.to_thread(venue.inject, {"kind": kind, "count": 1, "seconds": 0.1} | PLACE)
                client = venue.client()
                params = client._sign_ws_params(
                    market("BUY", newClientOrderId=kind), client._generate_ws_api_signature
                )
                await socket.send(json.dumps({"id": number, "method": "order.place", "params": params}))
                await wait_for(lambda name=kind: injected(venue, name) > 0)  # type: ignore[misc]
            return [json.loads(await socket.recv())["id"]]

    assert asyncio.run(scene()) == [2]
    assert venue.statuses() == {"ws_unanswered": "FILLED", "ws_late": "FILLED"}


def test_an_unknown_fault_or_profile_is_refused_with_the_known_ones(venue: Venue) -> None:
    wrong = venue.http.post("/_sim/faults", json={"faults": [{"kind": "gremlin"}]})
    assert (wrong.status_code, "ack_lost" in wrong.json()["error"]) == (400, True)
    assert venue.http.post("/_sim/faults", json={"profile": "hail"}).status_code == 400


def test_a_profile_can_be_switched_at_run_time(venue: Venue) -> None:
    try:
        venue.post("faults", {"profile": "storm"})
        assert venue.get("faults")["profile"] == "storm"
    finally:
        venue.post("faults", {"profile": "calm"})


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_names_known_faults(profile: str) -> None:
    plan = FaultPlan(profile, 7, Floor().sim.clock.now)
    assert {str(rule["kind"]) for rule in plan.profile.rules} <= KINDS - COMMANDS


def draws(plan: FaultPlan, names: list[str]) -> dict[str, tuple[bool, bool]]:
    """Return what hits each order."""
    return {
        name: (
            plan.draw("ack_lost", "spot.place", "u1", name) is not None,
            plan.draw("request_lost", "spot.place", "u1", name) is not None,
        )
        for name in names
    }


def test_draws_depend_on_the_client_id_and_the_seed_not_on_the_order_of_arrival() -> None:
    names = [f"id{n}" for n in range(1_000)]
    clock = Floor().sim.clock.now
    forward = draws(FaultPlan("open", 7, clock), names)
    assert forward == draws(FaultPlan("open", 7, clock), names[::-1])
    assert forward != draws(FaultPlan("open", 8, clock), names)
    assert 3 <= sum(ack for ack, _request in forward.values()) <= 25


def test_rules_choose_by_endpoint_account_count_and_time() -> None:
    floor = Floor()
    plan = floor.sim.faults
    at_ten = floor.sim.clock.now()
    excluded: tuple[dict[str, object], ...] = (
        {"endpoint": "futures.place"},
        {"endpoint": "reads"},
        {"account": ["u2"]},
        {"count": 0},
        {"begins": at_ten.replace(hour=11)},
        {"ends": at_ten},
        {"rate": 0.0},
    )
    for changes in excluded:
        floor.rules({"kind": "hang"} | changes)
        assert plan.draw("hang", "spot.place", "u1", "x") is None, changes
    for endpoint in ("place", "spot", "writes", "spot.writes", "spot.place"):
        floor.rules({"kind": "hang", "endpoint": endpoint, "count": 1})
        assert plan.draw("hang", "spot.place", "u1", "x") is not None, endpoint
        assert plan.draw("hang", "spot.place", "u1", "x") is None, endpoint
