"""Every fault of the catalog can be switched on by name, and shows on the wire."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from neo_api_client.exceptions import ApiException
from neo_api_client.websocket.feed import WsToken

from brokers.simulators.kotak.catalog import DEEDS, DRAWN, KINDS, REFUSING_KINDS
from tests.contract.simulator_kotak.broker import Broker, at
from tests.contract.simulator_kotak.scene import Scene
from tests.contract.simulator_kotak.test_feeds import until
from tests.waiting import eventually

NIFTY = [WsToken("nse_cm", "Nifty 50")]
_CUSTOMERS = count(1)
Check = Callable[[Scene], None]
CHECKS: dict[str, Check] = {}


def check(*kinds: str) -> Callable[[Check], Check]:
    """Register what shows a fault."""

    def register(act: Check) -> Check:
        CHECKS.update(dict.fromkeys(kinds, act))
        return act

    return register


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A calm broker at 09:20 that keeps its customers' tags."""
    running = Broker(tmp_path_factory.mktemp("catalog"), "--stable-tags", accounts=len(KINDS) + 20)
    running.freeze("09:20:00")
    yield running
    running.stop()


@pytest.fixture
def scene(house: Broker) -> Iterator[Scene]:
    """A customer of its own."""
    yield Scene(house, next(_CUSTOMERS))
    house.post("faults", {"faults": []})


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_fault_shows_on_the_wire(scene: Scene, kind: str) -> None:
    before = scene.counted(kind)

    CHECKS[kind](scene)

    assert scene.counted(kind) > before


def test_the_catalog_plays_every_row_of_kotaks_column() -> None:
    rows = {row for kind in (*DRAWN.values(), *DEEDS.values()) for row in kind.rows}

    assert rows == {*range(1, 21), 25, 30}
    assert set(CHECKS) == KINDS


def test_the_control_tells_all_kinds(house: Broker) -> None:
    assert set(house.get("faults")["kinds"]) == KINDS


@pytest.mark.parametrize("rule", [{"kind": "hang", "endpoint": "plaice"}, {"kind": "outage", "shoe": 1}])
def test_a_slip_in_a_rule_is_told(house: Broker, rule: dict[str, object]) -> None:
    assert house.http.post("/_sim/faults", json={"faults": [rule]}).status_code == 400


def _cause(reply: dict[str, Any]) -> str:
    assert isinstance(reply["error"], ApiException)
    return type(reply["error"].__cause__).__name__


@check("ack_lost")
def _ack_lost(scene: Scene) -> None:
    scene.inject("ack_lost", endpoint="place")
    assert _cause(scene.sell()) in {"RemoteProtocolError", "ReadError"}
    assert len(scene.book()) == 1


@check("half_body")
def _half_body(scene: Scene) -> None:
    scene.inject("half_body", endpoint="place")
    assert _cause(scene.sell()) in {"RemoteProtocolError", "ReadError"}
    assert len(scene.book()) == 1


@check("request_lost")
def _request_lost(scene: Scene) -> None:
    scene.inject("request_lost", endpoint="place")
    assert _cause(scene.sell()) in {"RemoteProtocolError", "ReadError"}
    assert not scene.book()


@check("late_placement")
def _late_placement(scene: Scene) -> None:
    scene.inject("ack_lost", "late_placement", seconds=0.2)
    _cause(scene.sell(tag="late"))
    eventually(lambda: [row["tag"] for row in scene.book()] == ["late"])


@check("http_5xx_html")
def _server_error_page(scene: Scene) -> None:
    scene.inject("http_5xx_html", endpoint="place", status=504)
    assert type(scene.sell()["Error"]).__name__ == "JSONDecodeError"
    assert scene.replies[-1].status_code == 504


@check("http_5xx_json")
def _server_error_body(scene: Scene) -> None:
    scene.inject("http_5xx_json", endpoint="limits")
    assert (scene.client.limits()["stCode"], scene.replies[-1].status_code) == (503, 503)


@check("html_200")
def _wrong_page(scene: Scene) -> None:
    scene.inject("html_200", endpoint="place", accepted=True)
    assert (type(scene.sell()["Error"]).__name__, scene.replies[-1].status_code) == ("JSONDecodeError", 200)
    assert len(scene.book()) == 1


@check("http_429", "http_429_bare")
def _throttled(scene: Scene) -> None:
    scene.inject("http_429", "http_429_bare", endpoint="limits", count=1)
    for after in ("1", None):
        assert scene.client.limits()["code"] == 429
        assert scene.replies[-1].headers.get("Retry-After") == after


@check("http_403")
def _forbidden(scene: Scene) -> None:
    scene.inject("http_403", endpoint="orders")
    assert "Error" in scene.client.order_report()
    assert scene.replies[-1].status_code == 403


@check("burst_hang")
def _burst_hang(scene: Scene) -> None:
    scene.inject("burst_hang", after=2, seconds=0.5)
    for _ in range(2):
        scene.client.cancel_order("1")
    assert scene.counted("burst_hang") == 0
    assert scene.duration(lambda: scene.client.cancel_order("1")) >= 0.5


@check("hang")
def _hang(scene: Scene) -> None:
    scene.inject("hang", endpoint="limits", seconds=0.3)
    assert scene.duration(scene.client.limits) >= 0.3


@check("open_delay")
def _open_delay(scene: Scene) -> None:
    now = scene.broker.get("clock")["now"]
    scene.inject("open_delay", seconds=0.4)
    scene.client.cancel_order("1")
    assert scene.counted("open_delay") == 0
    scene.broker.post("clock", {"now": at("09:15:05"), "rate": 0})
    assert scene.duration(lambda: scene.client.cancel_order("1")) >= 0.4
    scene.broker.post("clock", {"now": now, "rate": 0})


@check("rms_reject")
def _rms_reject(scene: Scene) -> None:
    scene.inject("rms_reject")
    assert scene.sell()["stat"] == "Ok"
    scene.broker.settle()
    (row,) = scene.book()
    assert (row["status"], row["reason"]) == ("rejected", "RMS:ADAPTER is down")


@check("market_parked")
def _market_parked(scene: Scene) -> None:
    scene.inject("market_parked")
    scene.sell()
    scene.broker.settle()
    assert [(row["status"], row["type"], row["filled"]) for row in scene.book()] == [("open", "L", 0)]


def _refused_by(kind: str) -> Check:
    def act(scene: Scene) -> None:
        scene.inject(kind, endpoint="writes")
        assert scene.sell()["stCode"] == REFUSING_KINDS[kind]
        assert not scene.book()

    return act


CHECKS.update({kind: _refused_by(kind) for kind in REFUSING_KINDS})


@check("refusal")
def _refusal(scene: Scene) -> None:
    scene.inject("refusal", code=777, status=418, endpoint="place")
    assert (scene.sell()["stCode"], scene.replies[-1].status_code) == (777, 418)


@check("tag_mutation")
def _tag_mutation(scene: Scene) -> None:
    def shown(number: str) -> str:
        (row,) = scene.client.order_report(order_id=number)["data"]
        return str(row["GuiOrdId"])

    kept, lost = scene.rest(tag="kept"), scene.rest(tag="lost")
    scene.modify(kept)
    scene.inject("tag_mutation")
    scene.modify(lost)
    scene.broker.settle()
    scene.inject("book_lag", seconds=0)
    assert shown(kept) == "kept"
    assert shown(lost).endswith("-ADMINAPI")


@check("login_null")
def _login_null(scene: Scene) -> None:
    scene.inject("login_null")
    with pytest.raises(AttributeError):
        _log_in(scene)


def _log_in(scene: Scene) -> dict[str, Any]:
    client = scene.broker.client(scene.number)
    mobile = f"+9190000{scene.number:05d}"
    return dict(client.totp_login(mobile_number=mobile, ucc=scene.ucc, totp="000000"))


@check("totp_refused", "login_fail")
def _login_refused(scene: Scene) -> None:
    scene.inject("totp_refused", "login_fail", count=1)
    assert [_log_in(scene)["error"][0]["code"] for _ in range(2)] == ["10525", "10500"]


@check("login_slow")
def _login_slow(scene: Scene) -> None:
    scene.inject("login_slow", seconds=0.3)
    assert scene.duration(lambda: _log_in(scene)) >= 0.3


@check("login_hang")
def _login_hang(scene: Scene) -> None:
    scene.inject("login_hang", seconds=0.1)
    with pytest.raises(ApiException):
        _log_in(scene)


@check("book_lag", "book_empty")
def _stale_books(scene: Scene) -> None:
    scene.rest()
    scene.inject("book_lag", seconds=60)
    assert scene.client.order_report()["stCode"] == 5203
    scene.inject("book_empty", "book_lag", seconds=0)
    assert scene.client.order_report()["stCode"] == 5203
    scene.inject("book_lag", seconds=0)
    assert len(scene.client.order_report()["data"]) == 1


@check("fill_missing")
def _fill_missing(scene: Scene) -> None:
    scene.sell()
    scene.broker.settle()
    scene.inject("fill_missing", "book_lag", seconds=0)
    assert scene.client.trade_report()["stCode"] == 5203
    assert len(scene.client.order_report()["data"]) == 1


@check("ltp_zero")
def _ltp_zero(scene: Scene) -> None:
    scene.sell()
    scene.broker.settle()
    scene.inject("book_lag", seconds=0)
    (row,) = scene.client.positions()["data"]
    assert float(row["ltp"]) > 0
    scene.inject("ltp_zero", "book_lag", seconds=0)
    (row,) = scene.client.positions()["data"]
    assert row["ltp"] == "0"


@check("outage")
def _outage(scene: Scene) -> None:
    scene.inject("outage", endpoint="reports")
    assert "Error" in scene.client.order_report()
    assert scene.replies[-1].status_code == 503
    assert scene.sell()["stat"] == "Ok"
    scene.inject("outage", endpoint="data_center")
    assert "Error" in scene.sell()
    assert "error" in _log_in(scene), "the login lives elsewhere"


@check("partial_fill")
def _partial_fill(scene: Scene) -> None:
    scene.inject("partial_fill")
    scene.sell_two_lots()
    scene.broker.settle()
    assert [row["filled"] for row in scene.book()] == [65]
    scene.next_tick()
    assert [(row["filled"], row["status"]) for row in scene.book()] == [(130, "complete")]


@check("partial_stall")
def _partial_stall(scene: Scene) -> None:
    scene.inject("partial_fill", "partial_stall")
    scene.sell_two_lots()
    scene.broker.settle()
    scene.next_tick()
    assert [(row["filled"], row["status"]) for row in scene.book()] == [(65, "open")]


@check("cancel_late", "modify_late")
def _late_changes(scene: Scene) -> None:
    canceled, modified = scene.rest(), scene.rest()
    scene.inject("cancel_late", "modify_late", seconds=0.8)

    def change() -> None:
        scene.client.cancel_order(canceled)
        scene.modify(modified)
        scene.broker.settle()

    assert scene.duration(change) >= 0.8
    assert [row["status"] for row in scene.book()] == ["cancelled", "open"]


@check("cancel_refused", "modify_refused")
def _refused_changes(scene: Scene) -> None:
    canceled, modified = scene.rest(), scene.rest()
    scene.inject("cancel_refused", "modify_refused")
    assert scene.client.cancel_order(canceled)["stat"] == scene.modify(modified)["stat"] == "Ok"
    scene.broker.settle()
    assert [row["status"] for row in scene.book()] == ["not cancelled", "not modified"]


@check("redirect")
def _redirect(scene: Scene) -> None:
    scene.inject("redirect", endpoint="place", count=1)
    assert scene.sell()["stat"] == "Ok", "the bare client follows and posts again"
    assert scene.replies[-1].history[0].status_code == 307


@check("human_open", "human_close")
def _human(scene: Scene) -> None:
    scene.inject("human_open", "human_close")
    scene.sell(tag="ours")
    scene.broker.settle()
    assert [(row["tag"], row["side"]) for row in scene.book()] == [("ours", "S"), ("", "S"), ("", "B")]


@check("human_strange")
def _human_strange(scene: Scene) -> None:
    scene.rest(tag="ours")
    scene.inject("human_strange", "book_lag", seconds=0)
    rows = scene.client.order_report()["data"]
    assert [row["prcTp"] for row in rows] == ["L", "ICEBERG"]


@check("session_kill")
def _session_kill(scene: Scene) -> None:
    scene.inject("session_kill")
    assert scene.client.limits()["stCode"] == 100022


@check("key_reset")
def _key_reset(scene: Scene) -> None:
    scene.inject("key_reset")
    assert scene.client.limits()["stCode"] == 100022
    assert _log_in(scene)["stCode"] == 100008


@check("connection_refused")
def _connection_refused(scene: Scene) -> None:
    scene.inject("connection_refused", seconds=1.0)

    def is_refused() -> bool:
        reply = scene.client.limits()
        return "error" in reply and _cause(reply) == "ConnectError"

    eventually(is_refused)
    eventually(lambda: scene.client.limits().get("stat") == "Ok")


@check("feed_cut")
def _feed_cut(scene: Scene) -> None:
    async def act(feed: Any, frames: list[str]) -> None:
        await scene.acknowledged(frames)
        scene.inject("feed_cut")
        await until(lambda: not feed.is_connected)

    scene.order_feed(act)


@check("feed_mute")
def _feed_mute(scene: Scene) -> None:
    async def act(feed: Any, frames: list[str]) -> None:
        await asyncio.to_thread(scene.sell)
        await asyncio.to_thread(scene.broker.settle)
        assert feed.is_connected, "it looks as if it worked"
        assert not frames

    scene.inject("feed_mute", endpoint="realtime")
    scene.order_feed(act)


@check("feed_refused")
def _feed_refused(scene: Scene) -> None:
    async def act(feed: Any, frames: list[str]) -> None:
        await until(lambda: not feed.is_connected)
        assert '"ak": "nk"' in frames[0]

    scene.inject("feed_refused", endpoint="realtime")
    scene.order_feed(act)


@check("feed_close", "feed_drop")
def _feed_ends(scene: Scene) -> None:
    for kind, told in (("feed_close", 1), ("feed_drop", 0)):

        async def act(feed: Any, frames: list[str], kind: str = kind, told: int = told) -> None:
            await scene.acknowledged(frames)
            scene.inject(kind, endpoint="realtime")
            await scene.sell_and_settle()
            await until(lambda: not feed.is_connected)
            assert len(frames) == 1 + told

        scene.order_feed(act)


@check("feed_silence", "feed_lost")
def _feed_says_nothing(scene: Scene) -> None:
    async def act(feed: Any, frames: list[str]) -> None:
        await scene.acknowledged(frames)
        scene.inject("feed_lost", endpoint="realtime", count=1)
        await scene.sell_and_settle()
        await until(lambda: any("complete" in frame for frame in frames))
        assert not any("put order req received" in frame for frame in frames)
        del frames[:]
        scene.inject("feed_silence", endpoint="realtime", seconds=60)
        await scene.sell_and_settle()
        assert feed.is_connected
        assert not frames

    scene.order_feed(act)


@check("feed_duplicate", "feed_reorder")
def _feed_stammers(scene: Scene) -> None:
    async def act(_feed: Any, frames: list[str]) -> None:
        await scene.acknowledged(frames)
        scene.inject("feed_reorder", "feed_duplicate", endpoint="realtime", count=1)
        await scene.sell_and_settle()
        await until(lambda: any("position" in frame for frame in frames))
        states = [frame for frame in frames[1:] if '"order"' in frame]
        assert "validation pending" in states[0]
        assert states[0] == states[1]
        assert "put order req received" in states[2]

    scene.order_feed(act)


@check("feed_garbage", "feed_truncated")
def _feed_babbles(scene: Scene) -> None:
    async def act(_feed: Any, frames: list[str]) -> None:
        await scene.acknowledged(frames)
        scene.inject("feed_garbage", "feed_truncated", endpoint="realtime", count=1)
        await scene.sell_and_settle()
        await until(lambda: any("position" in frame for frame in frames))
        assert frames[1] == "binary"
        assert not frames[2].endswith("}}")

    scene.order_feed(act)


@check("stale_quotes")
def _stale_quotes(scene: Scene) -> None:
    async def act(feed: Any, heard: list[Any], _raw: list[bytes]) -> None:
        await feed.subscribe_index(NIFTY)
        await until(lambda: heard)
        scene.inject("stale_quotes", for_all=True, count=1)
        await asyncio.to_thread(scene.next_tick)
        await asyncio.to_thread(scene.next_tick)
        await until(lambda: len(heard) == 2)
        assert heard[1].last_trade_time - heard[0].last_trade_time > 15

    scene.price_feed(act)


@check("ack_missing")
def _ack_missing(scene: Scene) -> None:
    async def act(feed: Any, heard: list[Any], _raw: list[bytes]) -> None:
        feed.ack_wait_timeout = 0.2
        await feed.subscribe_index(NIFTY)
        await until(lambda: heard)
        assert heard[0].trading_symbol is None

    scene.inject("ack_missing", endpoint="apifeed")
    scene.price_feed(act)


PRICE_DAMAGE = {
    "feed_garbage": 1,
    "feed_truncated": 0,
    "feed_duplicate": 2,
    "feed_reorder": 2,
    "feed_lost": 0,
}


@pytest.mark.parametrize("kind", PRICE_DAMAGE)
def test_a_damage_of_the_price_feed_shows_on_the_wire(scene: Scene, kind: str) -> None:
    async def act(feed: Any, heard: list[Any], raw: list[bytes]) -> None:
        await feed.subscribe_index(NIFTY)
        await until(lambda: heard)
        del heard[:], raw[:]
        scene.inject(kind, endpoint="apifeed", for_all=True, count=1)
        await asyncio.to_thread(scene.next_tick)
        await asyncio.to_thread(scene.next_tick)
        await until(lambda: len(heard) == PRICE_DAMAGE[kind] + 1 - (kind == "feed_reorder"))
        assert (b"B\xf6rse" in raw[0]) == (kind == "feed_garbage")
        times = [message.last_trade_time for message in heard]
        assert (times == sorted(times)) == (kind != "feed_reorder")

    scene.price_feed(act)


@pytest.mark.parametrize("kind", ["feed_mute", "feed_refused", "outage"])
def test_a_price_feed_that_does_not_open_shows_on_the_wire(scene: Scene, kind: str) -> None:
    from neo_api_client.websocket.feed.exceptions import SFeedWebSocketError

    async def run() -> None:
        feed = scene.client.create_websocket(max_connect_retries=0, max_reconnect_attempts=0)
        try:
            await asyncio.wait_for(feed.connect(), 0.5)
        finally:
            await feed.close()

    scene.inject(kind, endpoint="apifeed", for_all=kind == "outage")
    with pytest.raises((SFeedWebSocketError, TimeoutError)):
        asyncio.run(run())
    assert scene.counted(kind)
