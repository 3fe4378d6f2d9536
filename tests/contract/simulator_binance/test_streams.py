"""Streams with the real socket manager: account events, market data, reconnects."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets

from tests.contract.simulator_binance.venue import Venue, WSListenerState, limit, market

Scene = Callable[[Any, Any], Awaitable[Any]]


def play(venue: Venue, scene: Scene, **options: Any) -> Any:
    """Run a scene with an asynchronous client and its socket manager."""

    async def run() -> Any:
        client = await venue.async_client()
        try:
            return await asyncio.wait_for(scene(client, venue.sockets(client, **options)), 60)
        finally:
            await hang_up(client.ws_api)
            await client.close_connection()

    return asyncio.run(run())


async def hang_up(socket: Any) -> None:
    """Close the connection under a socket: left alone, the library waits ten seconds for one more message."""
    while socket._handle_read_loop:
        socket.ws_state = WSListenerState.EXITING
        if socket.ws is not None:
            await socket.ws.close()
        await asyncio.sleep(0.01)


async def take(socket: Any, count: int) -> list[dict[str, Any]]:
    """Return the next messages of a socket."""
    return [await asyncio.wait_for(socket.recv(), 20) for _message in range(count)]


async def wait_for(condition: Callable[[], object]) -> None:
    """Wait until the venue says so."""
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110  # another process
            await asyncio.sleep(0.01)


@asynccontextmanager
async def opened(socket: Any) -> AsyncIterator[Any]:
    """Enter one of the library's sockets."""
    async with socket as entered:
        try:
            yield entered
        finally:
            await hang_up(entered)


def test_a_spot_order_is_told_from_acceptance_to_fill(venue: Venue) -> None:
    async def scene(client: Any, sockets: Any) -> list[dict[str, Any]]:
        async with opened(sockets.user_socket()) as user:
            await client.create_order(**market("BUY", newClientOrderId="told"))
            return await take(user, 4)

    new, locked, fill, balances = play(venue, scene)
    assert [event["e"] for event in (new, locked, fill, balances)] == [
        "executionReport",
        "outboundAccountPosition",
    ] * 2
    assert (new["c"], new["x"], new["X"], new["t"]) == ("told", "NEW", "NEW", -1)
    assert (fill["x"], fill["X"], fill["l"], fill["z"], fill["N"]) == (
        "TRADE",
        "FILLED",
        "0.01000000",
        "0.01000000",
        "BTC",
    )
    assert {row["a"]: row["f"] for row in balances["B"]}["BTC"] == "1.00999000"


def test_a_cancel_is_told_under_its_own_name_with_the_orders_name_beside(venue: Venue) -> None:
    price = venue.last() - 500

    async def scene(client: Any, sockets: Any) -> dict[str, Any]:
        async with opened(sockets.user_socket()) as user:
            await client.create_order(**limit("BUY", price, newClientOrderId="first"))
            await client.cancel_order(symbol="BTCUSDT", origClientOrderId="first", newClientOrderId="request")
            return (await take(user, 3))[2]

    canceled = play(venue, scene)
    assert (canceled["c"], canceled["C"], canceled["x"], canceled["X"]) == (
        "request",
        "first",
        "CANCELED",
        "CANCELED",
    )


def test_a_futures_fill_is_told_with_the_account_and_the_algo_route_too(venue: Venue) -> None:
    trigger = f"{venue.last('futures') - 900:.1f}"

    async def scene(client: Any, sockets: Any) -> list[dict[str, Any]]:
        async with opened(sockets.futures_user_socket()) as user:
            await client.futures_create_order(**market("SELL", newClientOrderId="told"))
            await client.futures_create_order(
                symbol="BTCUSDT",
                side="SELL",
                type="STOP_MARKET",
                stopPrice=trigger,
                quantity="0.01",
                clientAlgoId="algo",
            )
            return await take(user, 4)

    new, account, fill, algo = play(venue, scene)
    assert (new["e"], new["o"]["x"], new["o"]["c"]) == ("ORDER_TRADE_UPDATE", "NEW", "told")
    assert (account["e"], account["a"]["P"][0]["pa"]) == ("ACCOUNT_UPDATE", "-0.010")
    assert (fill["o"]["x"], fill["o"]["X"], fill["o"]["l"]) == ("TRADE", "FILLED", "0.010")
    assert (algo["e"], algo["o"]["caid"], algo["o"]["X"]) == ("ALGO_UPDATE", "algo", "NEW")


def test_orders_go_over_the_websocket_too(venue: Venue) -> None:
    async def scene(client: Any, _sockets: Any) -> list[dict[str, Any]]:
        placed = await client.ws_create_order(**market("BUY", newClientOrderId="ws"))
        shown = await client.ws_get_order(symbol="BTCUSDT", origClientOrderId="ws")
        return [placed, shown]

    placed, shown = play(venue, scene)
    assert (placed["status"], shown["clientOrderId"]) == ("FILLED", "ws")
    assert venue.statuses() == {"ws": "FILLED"}


def test_market_streams_carry_quotes_trades_and_candles(venue: Venue) -> None:
    async def scene(_client: Any, sockets: Any) -> list[dict[str, Any]]:
        async with (
            opened(sockets.symbol_book_ticker_socket("BTCUSDT")) as quotes,
            opened(sockets.kline_socket("BTCUSDT")) as candles,
            opened(sockets.multiplex_socket(["btcusdt@aggTrade"])) as several,
            opened(sockets.kline_futures_socket("BTCUSDT")) as futures,
            opened(sockets.futures_multiplex_socket(["btcusdt@bookTicker"], category="public")) as public,
        ):
            await asyncio.to_thread(venue.tick)
            feeds = (quotes, candles, several, futures, public)
            return [(await take(feed, 1))[0] for feed in feeds]

    quote, candle, trade, futures, public = play(venue, scene)
    assert float(quote["b"]) < float(quote["a"])
    assert (candle["e"], candle["k"]["i"]) == ("kline", "1m")
    assert (trade["stream"], trade["data"]["e"]) == ("btcusdt@aggTrade", "aggTrade")
    assert (futures["e"], futures["ct"]) == ("continuous_kline", "PERPETUAL")
    assert public["data"]["e"] == "bookTicker"


def test_a_candle_is_told_closed_before_the_next_one_begins(venue: Venue) -> None:
    async def scene(_client: Any, sockets: Any) -> list[dict[str, Any]]:
        async with opened(sockets.kline_socket("BTCUSDT")) as candles:
            await asyncio.to_thread(venue.tick, 8)
            return await take(candles, 9)

    told = [event["k"] for event in play(venue, scene)]
    closed = [index for index, candle in enumerate(told) if candle["x"]]
    assert closed
    for index in closed:
        if index + 1 < len(told):
            assert told[index + 1]["t"] == told[index]["t"] + 60_000
    rest = venue.client().get_klines(symbol="BTCUSDT", interval="1m", limit=5)
    kept = {row[0]: row[1:5] for row in rest}
    for index in closed:
        candle = told[index]
        assert kept[candle["t"]] == [candle[name] for name in ("o", "h", "l", "c")]


def test_futures_quotes_come_on_the_public_address_only(venue: Venue) -> None:
    async def scene(_client: Any, sockets: Any) -> list[str]:
        names = ["btcusdt@bookTicker", "btcusdt@aggTrade"]
        async with opened(sockets.futures_multiplex_socket(names)) as wrong:
            await asyncio.to_thread(venue.tick, 2)
            return [message["stream"] for message in await take(wrong, 2)]

    assert play(venue, scene) == ["btcusdt@aggTrade", "btcusdt@aggTrade"]


def test_a_dropped_spot_account_stream_is_not_subscribed_again_by_the_library(venue: Venue) -> None:
    async def dropped(client: Any, sockets: Any) -> list[str]:
        user = sockets.user_socket()
        await user.connect()
        await asyncio.to_thread(venue.inject, {"kind": "disconnect"})
        gap = await take(user, 1)
        await wait_for(lambda: venue.get("feeds")["user_feeds"] == 0)
        await wait_for(lambda: client.ws_api.ws_state == WSListenerState.STREAMING)
        await client.create_order(**market("BUY"))  # the connection is back, the subscription is not
        assert user._queue.qsize() <= 1  # the library's second word about the same gap
        return [item["e"] for item in gap]

    async def again(client: Any, sockets: Any) -> str:
        async with opened(sockets.user_socket()) as user:
            await client.create_order(**market("BUY", newClientOrderId="heard"))
            return str((await take(user, 1))[0]["c"])

    assert play(venue, dropped) == ["error"]
    assert venue.get("feeds")["user_feeds"] == 0
    assert play(venue, again) == "heard"


def test_an_expired_listen_key_is_told_and_then_nothing_comes(venue: Venue) -> None:
    async def scene(client: Any, sockets: Any) -> dict[str, Any]:
        async with opened(sockets.futures_user_socket()) as user:
            await wait_for(lambda: venue.get("feeds")["user_feeds"] == 1)
            await asyncio.to_thread(venue.inject, {"kind": "listen_key_expired"})
            await client.futures_create_order(**market("BUY"))
            (event,) = await take(user, 1)
            assert venue.get("feeds")["user_feeds"] == 0
            return event

    assert play(venue, scene)["e"] == "listenKeyExpired"


def test_a_listen_key_stays_the_same_until_it_is_closed(venue: Venue) -> None:
    client = venue.client()
    key = client.futures_stream_get_listen_key()
    assert client.futures_stream_get_listen_key() == key
    client.futures_stream_close(key)
    assert client.futures_stream_get_listen_key() != key


def test_streams_can_be_changed_on_a_running_connection(venue: Venue) -> None:
    async def scene() -> list[Any]:
        async with websockets.connect(f"ws://127.0.0.1:{venue.port}/ws") as socket:
            await socket.send(json.dumps({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1}))
            reply = json.loads(await socket.recv())
            await asyncio.to_thread(venue.tick)
            return [reply, json.loads(await socket.recv())["e"]]

    assert asyncio.run(scene()) == [{"result": None, "id": 1}, "trade"]


@pytest.mark.parametrize(("path", "setting"), [("ws", "stream"), ("ws-api/v3", "ws_api")])
def test_too_many_messages_close_the_connection(venue: Venue, path: str, setting: str) -> None:
    venue.post("settings", {f"{setting}_messages_per_second": 2})

    async def scene() -> None:
        async with websockets.connect(f"ws://127.0.0.1:{venue.port}/{path}") as socket:
            for number in range(3):
                await socket.send(json.dumps({"method": "ping", "params": [], "id": number}))
            async with asyncio.timeout(20):
                while True:
                    await socket.recv()

    with pytest.raises(websockets.ConnectionClosed):
        asyncio.run(scene())


def test_the_end_of_the_server_is_announced(venue: Venue) -> None:
    async def scene(client: Any, sockets: Any) -> list[str]:
        async with opened(sockets.futures_user_socket()) as user:
            await wait_for(lambda: venue.get("feeds")["user_feeds"] == 1)
            await asyncio.to_thread(venue.inject, {"kind": "server_shutdown"})
            told, gap = await take(user, 2)
            del client
            return [told["event"]["e"] if "event" in told else told["e"], gap["e"]]

    assert play(venue, scene) == ["serverShutdown", "error"]
