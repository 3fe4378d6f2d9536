"""Both web sockets through the real client."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from neo_api_client.websocket.feed import WsToken

from tests.contract.simulator_kotak.broker import Broker, at, order

PATIENCE_S = 15


async def until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  # conditions of any kind, most of them in another process
            await asyncio.sleep(0.005)


def epoch(clock: str) -> int:
    """Return a time of the simulated day in epoch seconds."""
    return int(datetime.fromisoformat(at(clock)).timestamp())


def listen(feed: Any) -> list[str]:
    """Collect the raw frames of a feed."""
    frames: list[str] = []
    feed.on_raw = lambda frame: frames.append(frame if isinstance(frame, str) else "binary")
    return frames


def test_the_order_feed_tells_every_state_and_the_position(broker: Broker) -> None:
    client = broker.trader()
    symbol = broker.at_the_money()["display_symbol"]
    heard: list[Any] = []

    async def scene() -> None:
        feed = client.create_order_feed()
        frames = listen(feed)
        feed.on_message = heard.append
        await feed.connect()
        await until(lambda: frames)
        assert '"ak": "ok"' in frames[0]
        await asyncio.to_thread(client.place_order, **order(symbol, tag="t1"))
        await until(
            lambda: any(message.type == "position" for message in heard if not isinstance(message, dict))
        )
        await feed.close()

    asyncio.run(scene())
    states = [message.data for message in heard if getattr(message, "type", "") == "order"]
    assert [state.order_status for state in states] == [
        "put order req received",
        "validation pending",
        "open pending",
        "open",
        "complete",
    ]
    assert {state.model_extra["GuiOrdId"] for state in states} == {"t1"}
    stamps = [state.update_receive_time for state in states]
    assert stamps == sorted(set(stamps))


def test_the_order_feed_refuses_a_bad_token_with_nk(broker: Broker) -> None:
    client = broker.trader()
    client.configuration.edit_token = "not a token"

    async def scene() -> list[str]:
        feed = client.create_order_feed(max_reconnect_attempts=0)
        frames = listen(feed)
        await feed.connect()
        await until(lambda: frames)
        await feed.close()
        return frames

    assert "Authentication Failed" in asyncio.run(scene())[0]


def test_customers_hear_only_of_their_own_orders(broker: Broker) -> None:
    mine, theirs = broker.trader(1), broker.trader(2)
    symbol = broker.at_the_money()["display_symbol"]

    async def scene() -> list[str]:
        feed = mine.create_order_feed()
        frames = listen(feed)
        await feed.connect()
        await until(lambda: frames)
        await asyncio.to_thread(theirs.place_order, **order(symbol))
        await asyncio.to_thread(broker.settle)
        await asyncio.to_thread(mine.place_order, **order(symbol, tag="mine"))
        await until(lambda: any("complete" in frame for frame in frames))
        await feed.close()
        return frames[1:]

    heard = asyncio.run(scene())
    assert heard
    assert all("AA001" in frame for frame in heard)


def test_a_jump_over_several_ticks_sends_every_one_of_them_in_order(broker: Broker) -> None:
    client = broker.trader()
    option = broker.at_the_money()

    async def scene() -> list[Any]:
        heard: list[Any] = []
        feed = client.create_websocket()
        feed.on_message = heard.append
        await feed.connect()
        await feed.subscribe_index([WsToken("nse_cm", "Nifty 50")])
        await feed.subscribe_scrips([WsToken("nse_fo", option["exchange_token"])])
        await feed.subscribe_depth([WsToken("nse_fo", "40046")])
        await feed.subscribe_scrips_lite([WsToken("nse_fo", "40047")])
        await until(lambda: len(heard) >= 4)
        del heard[:]
        reply = await asyncio.to_thread(broker.freeze, "09:22:00")
        assert reply["tick_seq"] == 29
        assert reply["next_tick_at"] == "2019-01-02T03:52:15+00:00"
        last = epoch("09:22:00")
        await until(lambda: len(heard) >= 4 * 6 and heard[-1].last_trade_time == last)
        await feed.close()
        return heard

    heard = asyncio.run(scene())
    index = [message for message in heard if message.type == "index"]
    first = epoch("09:20:45")  # the login moved the clock to 09:20:30
    assert [message.last_trade_time for message in index] == list(range(first, epoch("09:22:00") + 1, 15))
    assert {message.trading_symbol for message in index} == {"Nifty 50"}
    touch = [message for message in heard if getattr(message, "level", 0) == 4]
    assert {message.trading_symbol for message in touch} == {option["display_symbol"]}
    assert all(len(message.buy) == len(message.sell) == 1 for message in touch)
    assert all(message.buy[0].price < message.sell[0].price for message in touch)
    depth = [message for message in heard if getattr(message, "level", 0) == 8]
    assert len(depth) == len(touch) == len(index) == 6
    assert all(len(message.sell) == 5 for message in depth)


def test_the_feed_shows_what_the_quotes_show(broker: Broker) -> None:
    client = broker.trader()
    option = broker.at_the_money()

    async def scene() -> Any:
        heard: list[Any] = []
        feed = client.create_websocket()
        feed.on_message = heard.append
        await feed.connect()
        await feed.subscribe_depth([WsToken("nse_fo", option["exchange_token"])])
        await until(lambda: heard)
        await feed.close()
        return heard[0]

    picture = asyncio.run(scene())
    now = broker.at_the_money()
    assert f"{picture.last_traded_price:.2f}" == now["ltp"]
    assert [f"{level.price:.2f}" for level in picture.buy] == [
        level["price"] for level in now["depth"]["buy"]
    ]
    assert f"{picture.high_price:.2f}" == now["ohlc"]["high"]


def test_unsubscribed_instruments_stay_silent_and_the_close_is_announced(broker: Broker) -> None:
    client = broker.trader()

    async def scene() -> list[Any]:
        heard: list[Any] = []
        feed = client.create_websocket()
        feed.on_message = heard.append
        await feed.connect()
        tokens = [WsToken("nse_fo", "40046"), WsToken("nse_fo", "40047")]
        await feed.subscribe_scrips(tokens)
        await feed.unsubscribe_scrips(tokens[:1])
        await feed.subscribe_exchange()
        await asyncio.to_thread(broker.freeze, "15:29:30")
        del heard[:]
        await asyncio.to_thread(broker.freeze, "15:30:00")
        await until(lambda: any(m.type == "market_status" for m in heard))
        await feed.close()
        return heard

    heard = asyncio.run(scene())
    assert {m.instrument_token for m in heard if m.type == "scrip"} == {"40047"}
    assert {m.status_code for m in heard if m.type == "market_status"} == {2}
