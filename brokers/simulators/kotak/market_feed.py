"""Serve /apifeed: authentication, subscriptions with acknowledgement, binary pictures at every tick."""

import asyncio
import json
import time
from collections.abc import Iterable

from starlette.websockets import WebSocket, WebSocketDisconnect

from brokers.simulators.kotak import packets
from brokers.simulators.kotak.accounts import Accounts
from brokers.simulators.kotak.contracts import INDEX_NAME, INDEX_TOKEN
from brokers.simulators.kotak.faults import FaultPlan
from brokers.simulators.kotak.replies import gateway_page
from brokers.simulators.kotak.sockets import GARBAGE, Outbox, keep_silent
from brokers.simulators.kotak.tape import Tape

_FIRST_FRAME_S = 10.0
_LEVELS = {"Scrips": 4, "ScripsLite": 1, "Depth": 8, "FullDepth": 16, "Indices": 0}
_INDEX_KEYS = frozenset({f"nse_cm|{INDEX_NAME}", f"nse_cm|{INDEX_TOKEN}"})
_STATUS_OPEN, _STATUS_CLOSED = 1, 2
# An index is published every second of the session, whether it has moved or not.
_INDEX_EVERY_S = 1.0


class Subscriber:
    """One feed connection and what it wants: (instrument key, level) pairs."""

    def __init__(self, box: Outbox, ucc: str) -> None:
        self.box = box
        self.ucc = ucc
        self.held: bytes | None = None  # a reordered frame waits for the next one
        self.wants: dict[tuple[str, int], None] = {}
        self.status = False


class MarketFeed:
    """Hold the feed connections and send every tick to each as one batch."""

    def __init__(self, accounts: Accounts, tape: Tape, faults: FaultPlan) -> None:
        self._accounts = accounts
        self._faults = faults
        self._tape = tape
        self._subscribers: set[Subscriber] = set()
        self._by_key = {contract.key: contract for contract in tape.contracts}
        self._index_due_at: float | None = None  # monotonic; None while nothing is told

    def count(self) -> int:
        """Return how many connections are open."""
        return len(self._subscribers)

    def on_tick(self, *, opening: bool = False, closing: bool = False) -> None:
        """Send the current pictures; the open and the close announce themselves.

        Faults may leave the feed up without ticks, lose, double, delay or damage them, or cut it.
        """
        self._index_due_at = None if closing else time.monotonic() + _INDEX_EVERY_S
        if not self._subscribers:
            return  # a fault that nobody can see is not used up
        if any(self._faults.draw(kind, "apifeed", "") for kind in ("stale_quotes", "feed_lost")):
            self._index_due_at = None
            return
        if self._faults.draw("feed_drop", "apifeed", ""):
            for subscriber in tuple(self._subscribers):
                subscriber.box.cut()
            return
        close_behind = self._faults.draw("feed_close", "apifeed", "") is not None
        damage = self._draw_damage()
        cache: dict[tuple[str, int], bytes] = {}
        for subscriber in self._subscribers:
            parts = self._announce(subscriber, opening=opening, closing=closing)
            if not closing:
                parts += [self._cached(want, cache) for want in subscriber.wants]
            frame = b"".join(parts)
            if frame:
                self._send(subscriber, frame, damage)
            if close_behind:
                subscriber.box.close()

    def on_rest(self) -> None:
        """Tell the index again when a real second has passed without a tick; a feed that is lost stays so."""
        now = time.monotonic()
        if self._index_due_at is None or now < self._index_due_at:
            return
        self._index_due_at = now + _INDEX_EVERY_S
        cache: dict[tuple[str, int], bytes] = {}
        for subscriber in self._subscribers:
            frame = b"".join(self._cached(want, cache) for want in subscriber.wants if want[0] in _INDEX_KEYS)
            if frame:
                subscriber.box.put(frame)

    def cut(self, uccs: Iterable[str]) -> int:
        """Drop the connections of some accounts; return how many there were."""
        chosen = set(uccs)
        found = [item for item in self._subscribers if item.ucc in chosen]
        for subscriber in found:
            subscriber.box.cut()
        return len(found)

    def _draw_damage(self) -> frozenset[str]:
        kinds = ("feed_duplicate", "feed_reorder", "feed_garbage", "feed_truncated")
        return frozenset(kind for kind in kinds if self._faults.draw(kind, "apifeed", ""))

    @staticmethod
    def _send(subscriber: Subscriber, frame: bytes, damage: frozenset[str]) -> None:
        if "feed_garbage" in damage:
            subscriber.box.put(GARBAGE)
        if "feed_truncated" in damage:
            frame = frame[: len(frame) - len(frame) // 3]
        frames = [frame, frame] if "feed_duplicate" in damage else [frame]
        held, subscriber.held = subscriber.held, None
        if "feed_reorder" in damage and held is None:
            subscriber.held = frame
            return
        for item in (*frames, held):
            if item is not None:
                subscriber.box.put(item)

    def _announce(self, subscriber: Subscriber, *, opening: bool, closing: bool) -> list[bytes]:
        if not opening and not closing:
            return []
        seq = self._tape.seq
        code = packets.MARKET_OPEN if opening else packets.MARKET_CLOSE
        parts = [packets.pack_session(code, seq)] if subscriber.wants else []
        if subscriber.status:
            status, text = (_STATUS_OPEN, "OPEN") if opening else (_STATUS_CLOSED, "CLOSE")
            parts += [
                packets.pack_status(item, status, text, seq) for item in (packets.NSE_CM, packets.NSE_FO)
            ]
        return parts

    def _cached(self, want: tuple[str, int], cache: dict[tuple[str, int], bytes]) -> bytes:
        if want not in cache:
            cache[want] = self._pack(*want)
        return cache[want]

    def _pack(self, key: str, level: int) -> bytes:
        tape = self._tape
        if tape.instant is None or tape.index_stats is None:
            return b""
        if key in _INDEX_KEYS:
            return packets.pack_index(tape.index_stats, tape.previous_close, tape.instant, tape.seq)
        contract = self._by_key[key]
        quote = tape.quotes[contract.token]
        close = tape.closes[contract.token]
        if level == 1:
            return packets.pack_mini(contract, quote, close=close, at=tape.instant, seq=tape.seq)
        stats = tape.stats[contract.token]
        return packets.pack_picture(
            contract, quote, stats, close=close, at=tape.instant, seq=tape.seq, level=level
        )

    async def serve(self, socket: WebSocket) -> None:
        """Run one connection until it ends."""
        outage = self._faults.draw("outage", "apifeed", "")
        if outage is not None:
            await socket.send_denial_response(gateway_page(outage.status or 503))
            return
        await socket.accept()
        try:
            async with asyncio.timeout(_FIRST_FRAME_S):
                hello = json.loads(await socket.receive_text())
        except (TimeoutError, WebSocketDisconnect, ValueError):
            return
        known = self._accounts.find_feed_session(str(hello.get("auth"))) if isinstance(hello, dict) else None
        if known is not None and self._faults.draw("feed_mute", "apifeed", known.ucc):
            await keep_silent(socket)
            return
        if known is not None and self._faults.draw("feed_refused", "apifeed", known.ucc):
            known = None
        if known is None or hello.get("format") != "native_batch":
            await socket.send_text(json.dumps({"message_code": 1118, "message": "Authentication Failed"}))
            await socket.close()
            return
        exchanges = {
            "nse_cm": {"value": packets.NSE_CM, "divider": 100},
            "nse_fo": {"value": packets.NSE_FO, "divider": 100},
        }
        reply = {"message_code": 1119, "format": "native_batch", "exchanges": exchanges}
        await socket.send_text(json.dumps(reply))
        await self._pump(socket, known.ucc)

    async def _pump(self, socket: WebSocket, ucc: str) -> None:
        subscriber = Subscriber(Outbox(socket), ucc)
        self._subscribers.add(subscriber)
        writer = asyncio.create_task(subscriber.box.run())
        try:
            while True:
                self._handle(subscriber, json.loads(await socket.receive_text()))
        except (WebSocketDisconnect, ValueError):
            return
        finally:
            self._subscribers.discard(subscriber)
            writer.cancel()

    def _handle(self, subscriber: Subscriber, request: dict[str, object]) -> None:
        event = str(request.get("event"))
        if event in {"subscribeExchange", "unsubscribeExchange"}:
            subscriber.status = event == "subscribeExchange"
            return
        verb, level = _parse_event(event)
        keys = [key for key in str(request.get("inputtoken", "")).split(",") if self._symbol(key)]
        wants = [(key, level) for key in keys]
        if verb == "unsubscribe":
            for want in wants:
                subscriber.wants.pop(want, None)
            return
        if verb == "subscribe":
            subscriber.wants.update(dict.fromkeys(wants))
        if request.get("ack_symbol") and not self._faults.draw("ack_missing", "apifeed", subscriber.ucc):
            symbols = {key: self._symbol(key) for key in keys}
            subscriber.box.put(json.dumps({"message_code": 1109, "trading_symbols": symbols}))
        snapshot = b"".join(self._pack(*want) for want in wants)
        if snapshot:
            subscriber.box.put(snapshot)

    def _symbol(self, key: str) -> str | None:
        if key in _INDEX_KEYS:
            return INDEX_NAME
        contract = self._by_key.get(key)
        return contract.symbol if contract else None


def _parse_event(event: str) -> tuple[str, int]:
    # Longest verb first: "unsubscribeDepth" ends like "subscribeDepth".
    for verb in ("unsubscribe", "subscribe", "snapshot"):
        suffix = event.removeprefix(verb)
        if suffix != event and suffix in _LEVELS:
            return verb, _LEVELS[suffix]
    raise ValueError(f"unknown feed event {event!r}")
