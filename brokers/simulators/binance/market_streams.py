"""Serve market data streams: raw and combined, spot and the split futures addresses."""

import asyncio
import json
import time

from starlette.websockets import WebSocket, WebSocketDisconnect

from brokers.simulators.binance.faults import FaultPlan
from brokers.simulators.binance.settings import Settings
from brokers.simulators.binance.sockets import Outbox, Pace
from brokers.simulators.binance.stream_rows import stream_row
from brokers.simulators.binance.symbols import FUTURES, SPOT
from brokers.simulators.binance.tape import Tape

_PUBLIC = ("bookTicker", "depth")
_QUOTE_EVERY_S = 1.0


class Subscriber:
    """One connection, what it wants and how it wants it framed."""

    def __init__(self, box: Outbox, market: str, category: str, *, combined: bool) -> None:
        self.box = box
        self.market = market
        self.category = category  # futures: market or public, which carry different streams
        self.combined = combined
        self.wants: dict[str, None] = {}
        self.pace = Pace()

    def serves(self, name: str) -> bool:
        """Return whether this address carries the stream; what it does not carry never comes."""
        kind = name.partition("@")[2]
        public = kind.startswith(_PUBLIC)
        return self.market == SPOT or (self.category == "public") == public


class MarketStreams:
    """Hold the stream connections and send every tick to each."""

    def __init__(self, tape: Tape, faults: FaultPlan, settings: Settings) -> None:
        self._tape = tape
        self._faults = faults
        self._settings = settings
        self._subscribers: set[Subscriber] = set()
        self._rest_due_at: dict[str, float] = {}

    def count(self) -> int:
        """Return how many connections are open."""
        return len(self._subscribers)

    def on_tick(self) -> None:
        """Send the current pictures; a fault may leave the streams up without ticks, or cut them."""
        for market in (SPOT, FUTURES):
            chosen = [item for item in self._subscribers if item.market == market]
            self._rest_due_at.pop(market, None)
            if not chosen or self._faults.draw("stale_quotes", f"{market}.market", ""):
                continue
            self._rest_due_at[market] = time.monotonic() + _QUOTE_EVERY_S
            if self._faults.draw("feed_drop", f"{market}.market", ""):
                for subscriber in chosen:
                    subscriber.box.cut()
                continue
            close = self._faults.draw("feed_close", f"{market}.market", "") is not None
            garbage = self._faults.draw("feed_garbage", f"{market}.market", "") is not None
            copies = 400 if self._faults.draw("feed_flood", f"{market}.market", "") else 1
            for subscriber in chosen:
                self._send(subscriber, copies)
                if garbage:
                    subscriber.box.put(b"\x00\xff not text")
                if close:
                    subscriber.box.close()

    def on_rest(self) -> None:
        """Tell the last quotes again when a real second has passed without a tick.

        At the venue something always moves; our market stands for up to 15 s and only says that it is there.
        """
        now = time.monotonic()
        for market, due_at in self._rest_due_at.items():
            if now < due_at:
                continue
            self._rest_due_at[market] = now + _QUOTE_EVERY_S
            for subscriber in self._subscribers:
                if subscriber.market == market:
                    self._send(subscriber, 1, only="@bookTicker")

    def _send(self, subscriber: Subscriber, copies: int, *, only: str = "") -> None:
        for name in subscriber.wants:
            if not subscriber.serves(name) or not name.endswith(only):
                continue
            for row in stream_row(self._tape, subscriber.market, name):
                frame = json.dumps({"stream": name, "data": row} if subscriber.combined else row)
                for _copy in range(copies):
                    subscriber.box.put(frame)

    def cut_all(self) -> int:
        """Drop every connection; return how many."""
        for subscriber in tuple(self._subscribers):
            subscriber.box.cut()
        return len(self._subscribers)

    def announce(self, event: dict[str, object]) -> None:
        """Send an event of the server's own to every connection."""
        for subscriber in self._subscribers:
            subscriber.box.put(json.dumps(event))

    async def serve(self, socket: WebSocket) -> None:
        """Run one connection until it ends."""
        path = socket.url.path
        category = path.split("/")[1]
        market = FUTURES if category in {"market", "public"} else SPOT
        if self._faults.draw("feed_refused", f"{market}.market", ""):
            await socket.close()
            return
        await socket.accept()
        combined = "/stream" in path
        subscriber = Subscriber(Outbox(socket), market, category, combined=combined)
        names = socket.query_params.get("streams", "") if combined else socket.path_params.get("streams", "")
        subscriber.wants = dict.fromkeys(filter(None, names.split("/")))
        self._subscribers.add(subscriber)
        writer = asyncio.create_task(subscriber.box.run())
        try:
            while True:
                text = await socket.receive_text()
                if subscriber.pace.too_fast(self._settings.stream_messages_per_second):
                    subscriber.box.close()
                else:
                    self._obey(subscriber, text)
        except WebSocketDisconnect:
            return
        finally:
            self._subscribers.discard(subscriber)
            writer.cancel()

    @staticmethod
    def _obey(subscriber: Subscriber, text: str) -> None:
        try:
            request = json.loads(text)
            method, names = request["method"], list(request.get("params", []))
        except (ValueError, KeyError, TypeError):
            subscriber.box.put(json.dumps({"error": {"code": 2, "msg": "Invalid request"}, "id": None}))
            return
        result = None
        if method == "SUBSCRIBE":
            subscriber.wants |= dict.fromkeys(map(str, names))
        elif method == "UNSUBSCRIBE":
            for name in names:
                subscriber.wants.pop(str(name), None)
        elif method == "LIST_SUBSCRIPTIONS":
            result = list(subscriber.wants)
        subscriber.box.put(json.dumps({"result": result, "id": request.get("id")}))
