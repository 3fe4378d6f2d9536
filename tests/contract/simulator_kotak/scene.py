"""Give each check of a fault a customer of its own at one shared broker."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from tests.contract.simulator_kotak.broker import Broker, order
from tests.contract.simulator_kotak.test_feeds import listen, until


class Scene:
    """One customer, logged in, whose requests and feeds can be made to fail."""

    def __init__(self, broker: Broker, number: int) -> None:
        self.broker = broker
        self.number = number
        self.ucc = f"AA{number:03d}"
        self.client = broker.trader(number)
        self.replies: list[httpx.Response] = []
        hooks = self.client.api_client.rest_client.session.event_hooks
        hooks["response"].append(self.replies.append)
        self.symbol = str(broker.at_the_money()["display_symbol"])

    def inject(self, *kinds: str, **fields: object) -> None:
        """Make faults hit this customer only; the feeds' faults know no customer and hit all."""
        for_all = {} if fields.pop("for_all", False) else {"ucc": [self.ucc]}
        self.broker.post("faults", {"faults": [{"kind": kind, **for_all, **fields} for kind in kinds]})

    def sell(self, **changes: str | None) -> dict[str, Any]:
        """Sell one lot at the market."""
        return dict(self.client.place_order(**order(self.symbol, **changes)))

    def rest(self, **changes: str | None) -> str:
        """Place an order that rests far away from the market; return its number."""
        price = f"{round(float(self.broker.at_the_money()['ltp']) * 1.2):.2f}"
        reply = self.sell(order_type="L", price=price, **changes)
        self.broker.settle()
        return str(reply["nOrdNo"])

    def sell_two_lots(self) -> None:
        """Sell two lots well below the market, so that they keep matching while it moves."""
        price = f"{round(float(self.broker.at_the_money()['ltp']) * 0.8):.2f}"
        self.sell(quantity="130", order_type="L", price=price)

    def modify(self, number: str, price: str = "45.00") -> dict[str, Any]:
        """Change the price of a resting order."""
        reply = self.client.modify_order(
            order_id=number, price=price, order_type="L", quantity="65", validity="DAY"
        )
        return dict(reply)

    def book(self) -> list[dict[str, Any]]:
        """Return the customer's orders as the broker's own records show them."""
        return [row for row in self.broker.get("orders") if row["ucc"] == self.ucc]

    def counted(self, kind: str) -> int:
        """Return how often a fault has struck, at anybody."""
        return int(self.broker.get("faults")["by_kind"].get(kind, 0))

    def duration(self, act: Callable[[], object]) -> float:
        """Return how long something takes, in real seconds."""
        started = time.monotonic()
        act()
        return time.monotonic() - started

    def next_tick(self) -> None:
        """Move the market by one tick."""
        self.broker.post("clock", {"now": self.broker.get("clock")["next_tick_at"], "rate": 0})

    def order_feed(self, act: Callable[[Any, list[str]], Awaitable[None]]) -> list[str]:
        """Open the order feed, act with it and its frames, return the frames."""

        async def run() -> list[str]:
            feed = self.client.create_order_feed(max_connect_retries=0, max_reconnect_attempts=0)
            frames = listen(feed)
            try:
                await feed.connect()
                await act(feed, frames)
            finally:
                await feed.close()
            return frames

        return asyncio.run(run())

    async def sell_and_settle(self) -> None:
        """Sell, and wait until the broker is done with it."""
        await asyncio.to_thread(self.sell)
        await asyncio.to_thread(self.broker.settle)

    async def acknowledged(self, frames: list[str]) -> None:
        """Wait for the order feed's first frame."""
        await until(lambda: frames)

    def price_feed(self, act: Callable[[Any, list[Any], list[bytes]], Awaitable[None]]) -> list[Any]:
        """Open the price feed, act with it, its messages and its raw frames; return the messages."""

        async def run() -> list[Any]:
            feed = self.client.create_websocket(max_connect_retries=0, max_reconnect_attempts=0)
            heard: list[Any] = []
            raw: list[bytes] = []
            feed.on_message = heard.append
            feed.on_raw = raw.append
            try:
                await feed.connect()
                await act(feed, heard, raw)
            finally:
                await feed.close()
            return heard

        return asyncio.run(run())
