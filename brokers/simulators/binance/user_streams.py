"""Push account events: spot over WebSocket API subscriptions, futures over listen keys."""

import asyncio
import json
import time
from collections import defaultdict
from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect

from brokers.simulators.binance.draw import fraction
from brokers.simulators.binance.faults import FaultPlan
from brokers.simulators.binance.replies import Refused
from brokers.simulators.binance.settings import Settings
from brokers.simulators.binance.sockets import Outbox
from brokers.simulators.binance.symbols import FUTURES, SPOT, Row

_HELD_S = 0.5  # a reordered frame waits for the next one, at most this long
_FLOOD = 400
_GARBAGE = '{"e":"executionReport","c":"\\ud800'

Address = tuple[str, str]  # market and account


@dataclass(slots=True, kw_only=True)
class ListenKey:
    """One futures key, valid until a monotonic instant."""

    key: str
    account: str
    expires: float


class UserStreams:
    """Hold every account's event connections and push to them, through faults."""

    def __init__(self, faults: FaultPlan, settings: Settings, seed: int) -> None:
        self._faults = faults
        self._settings = settings
        self._seed = seed
        self._boxes: defaultdict[Address, dict[tuple[Outbox, int], None]] = defaultdict(dict)
        self._keys: dict[str, ListenKey] = {}  # by account
        self._issued = 0
        self._held: dict[Address, Row] = {}
        self._silent_until: dict[Address, float] = {}

    def attach(self, address: Address, box: Outbox, subscription: int = 0) -> None:
        """Let a connection have an account's events."""
        self._boxes[address][box, subscription] = None

    def detach(self, address: Address, box: Outbox, subscription: int = 0) -> None:
        """Stop that."""
        self._boxes[address].pop((box, subscription), None)

    def count(self) -> int:
        """Return how many connections and subscriptions are open."""
        return sum(map(len, self._boxes.values()))

    def push(self, market: str, account: str, row: Row) -> None:
        """Send an event to every connection of an account, unless a fault loses, doubles or delays it."""
        address = (market, account)
        if not self._boxes[address]:
            return
        endpoint = f"{market}.user"
        for event in self._through_faults(address, endpoint, row):
            self._send(address, event)
        if self._faults.draw("feed_garbage", endpoint, account):
            for box, _subscription in tuple(self._boxes[address]):
                box.put(_GARBAGE)
        if self._faults.draw("feed_close", endpoint, account):
            for box, _subscription in tuple(self._boxes[address]):
                box.close()

    def _send(self, address: Address, event: Row) -> None:
        for box, subscription in tuple(self._boxes[address]):
            spot = address[0] == SPOT
            box.put(json.dumps({"subscriptionId": subscription, "event": event} if spot else event))

    def _release(self, address: Address) -> None:
        event = self._held.pop(address, None)
        if event is not None:
            self._send(address, event)

    def _through_faults(self, address: Address, endpoint: str, event: Row) -> list[Row]:
        account = address[1]
        now = time.monotonic()
        silence = self._faults.draw("feed_silence", endpoint, account)
        if silence is not None:
            self._silent_until[address] = now + silence.seconds
        if now < self._silent_until.get(address, 0.0):
            return []
        if self._faults.draw("feed_drop", endpoint, account):
            self.cut(address)
            return []
        held = self._held.pop(address, None)
        after = [] if held is None else [held]
        if self._faults.draw("feed_lost", endpoint, account):
            return after
        if held is None and self._faults.draw("feed_reorder", endpoint, account):
            self._held[address] = event
            asyncio.get_running_loop().call_later(_HELD_S, self._release, address)
            return []
        copies = 2 if self._faults.draw("feed_duplicate", endpoint, account) else 1
        if self._faults.draw("feed_flood", endpoint, account):
            copies = _FLOOD
        return [event] * copies + after

    def cut(self, address: Address) -> None:
        """Drop every connection of an account without a close frame."""
        for box, _subscription in tuple(self._boxes[address]):
            box.cut()

    def cut_all(self, accounts: frozenset[str] | None) -> int:
        """Drop the connections of some accounts, or of all; return how many."""
        chosen = [address for address in self._boxes if accounts is None or address[1] in accounts]
        cut = sum(len(self._boxes[address]) for address in chosen)
        for address in chosen:
            self.cut(address)
        return cut

    def announce(self, event: Row) -> int:
        """Send an event of the server's own to every connection and close them; return how many."""
        boxes = {box for items in self._boxes.values() for box, _subscription in items}
        for box in boxes:
            box.put(json.dumps(event))
            box.close()
        return len(boxes)

    def living_keys(self) -> tuple[ListenKey, ...]:
        """Return the keys that are alive."""
        return tuple(self._keys.values())

    def open_key(self, account: str) -> str:
        """Return the account's listen key, valid for an hour from now; it stays the same while it lives."""
        known = self._keys.get(account)
        if known is None or known.expires <= time.monotonic():
            self._issued += 1
            text = f"{int(fraction(self._seed, 'listen key', account, self._issued) * 16**16):016x}"
            known = self._keys[account] = ListenKey(key=text * 4, account=account, expires=0.0)
        known.expires = time.monotonic() + 60 * self._settings.listen_key_minutes
        return known.key

    def keep_key(self, account: str) -> str:
        """Extend the account's key. Raises: Refused -1125 when it has none."""
        known = self._keys.get(account)
        if known is None or known.expires <= time.monotonic():
            raise Refused(-1125, "This listenKey does not exist.")
        return self.open_key(account)

    def close_key(self, account: str) -> None:
        """End the account's key."""
        self._keys.pop(account, None)

    def expire_keys(self, accounts: frozenset[str] | None, now_ms: int) -> int:
        """End the keys of some accounts, or of all: an event says so, then nothing comes any more."""
        dead = [key for key in self._keys.values() if accounts is None or key.account in accounts]
        for key in dead:
            self._expire(key, now_ms)
        return len(dead)

    def expire_due(self, now_ms: int) -> None:
        """End the keys whose time is over."""
        now = time.monotonic()
        for key in [key for key in self._keys.values() if key.expires <= now]:
            self._expire(key, now_ms)

    def _expire(self, key: ListenKey, now_ms: int) -> None:
        del self._keys[key.account]
        address = (FUTURES, key.account)
        self._send(address, {"e": "listenKeyExpired", "E": now_ms, "listenKey": key.key})
        self._boxes[address].clear()

    async def serve_futures(self, socket: WebSocket) -> None:
        """Run one futures event connection, named by its listen key, until it ends."""
        key = socket.query_params.get("listenKey") or socket.path_params.get("key", "")
        found = next((item for item in self._keys.values() if item.key == key), None)
        refused = self._faults.draw("feed_refused", "futures.user", found.account if found else "")
        if found is None or refused is not None:
            await socket.close()
            return
        await socket.accept()
        box = Outbox(socket)
        address = (FUTURES, found.account)
        self.attach(address, box)
        writer = asyncio.create_task(box.run())
        try:
            while True:
                await socket.receive_text()
        except WebSocketDisconnect:
            return
        finally:
            self.detach(address, box)
            writer.cancel()
