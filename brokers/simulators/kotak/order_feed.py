"""Serve /realtime: the raw first frame, its acknowledgement, order and position pushes."""

import asyncio
import json
import re
from collections import defaultdict

from starlette.websockets import WebSocket, WebSocketDisconnect

from brokers.simulators.kotak.accounts import Accounts
from brokers.simulators.kotak.faults import FaultPlan
from brokers.simulators.kotak.replies import gateway_page
from brokers.simulators.kotak.rows import Row
from brokers.simulators.kotak.sockets import GARBAGE, Outbox, keep_silent

_HELLO = re.compile(r"^\{type:cn,Authorization:(?P<token>[^,]*),Sid:(?P<sid>[^,]*),src:(?P<src>[^}]*)\}$")
_FIRST_FRAME_S = 10.0
_HELD_S = 0.5  # a reordered frame waits for the next one, at most this long


class OrderFeeds:
    """Hold the order-feed connections of all accounts and push to them."""

    def __init__(self, accounts: Accounts, faults: FaultPlan) -> None:
        self._accounts = accounts
        self._faults = faults
        self._boxes: defaultdict[str, set[Outbox]] = defaultdict(set)
        self._held: dict[str, str] = {}
        self._silent_until: dict[str, float] = {}

    def push(self, ucc: str, kind: str, row: Row) -> None:
        """Send a row to every connection of an account, unless a fault loses, doubles or delays it."""
        if not self._boxes[ucc]:
            return
        frame = json.dumps({"type": kind, "data": row})
        for frame_now in self._through_faults(ucc, frame):
            self._send(ucc, frame_now)
        if self._faults.draw("feed_close", "realtime", ucc):
            for box in tuple(self._boxes[ucc]):
                box.close()

    def _send(self, ucc: str, frame: str | bytes) -> None:
        for box in tuple(self._boxes[ucc]):
            box.put(frame)

    def _release(self, ucc: str) -> None:
        frame = self._held.pop(ucc, None)
        if frame is not None:
            self._send(ucc, frame)

    def cut(self, ucc: str) -> int:
        """Drop every connection of an account; return how many there were."""
        boxes = tuple(self._boxes[ucc])
        for box in boxes:
            box.cut()
        return len(boxes)

    def count(self) -> int:
        """Return how many connections are open."""
        return sum(map(len, self._boxes.values()))

    def _through_faults(self, ucc: str, frame: str) -> list[str]:
        now = asyncio.get_running_loop().time()
        silence = self._faults.draw("feed_silence", "realtime", ucc)
        if silence is not None:
            self._silent_until[ucc] = now + silence.seconds
        if now < self._silent_until.get(ucc, 0.0):
            return []
        if self._faults.draw("feed_drop", "realtime", ucc):
            self.cut(ucc)
            return []
        if self._faults.draw("feed_garbage", "realtime", ucc):
            self._send(ucc, GARBAGE)
        if self._faults.draw("feed_truncated", "realtime", ucc):
            return [frame[: len(frame) // 2]]
        held = self._held.pop(ucc, None)
        after = [] if held is None else [held]
        if self._faults.draw("feed_lost", "realtime", ucc):
            return after
        if held is None and self._faults.draw("feed_reorder", "realtime", ucc):
            self._held[ucc] = frame
            asyncio.get_running_loop().call_later(_HELD_S, self._release, ucc)
            return []
        copies = 2 if self._faults.draw("feed_duplicate", "realtime", ucc) else 1
        return [frame] * copies + after

    async def serve(self, socket: WebSocket) -> None:
        """Run one connection until it ends."""
        outage = self._faults.draw("outage", "realtime", "")
        if outage is not None:
            await socket.send_denial_response(gateway_page(outage.status or 503))
            return
        await socket.accept()
        try:
            async with asyncio.timeout(_FIRST_FRAME_S):
                hello = _HELLO.match(await socket.receive_text())
        except (TimeoutError, WebSocketDisconnect):
            return
        session = None
        if hello is not None:
            session = self._accounts.find_session(hello["token"], hello["sid"])
        if session is not None and self._faults.draw("feed_mute", "realtime", session.ucc):
            await keep_silent(socket)
            return
        if session is not None and self._faults.draw("feed_refused", "realtime", session.ucc):
            session = None
        if session is None or session.kind != "Trade":
            reason = "invalid request format" if hello is None else "Authentication Failed"
            await socket.send_text(json.dumps({"ak": "nk", "type": "cn", "task": "cn", "msg": reason}))
            await socket.close()
            return
        await socket.send_text(json.dumps({"ak": "ok", "type": "cn", "task": "cn", "msg": "connected"}))
        await self._pump(socket, session.ucc)

    async def _pump(self, socket: WebSocket, ucc: str) -> None:
        box = Outbox(socket)
        self._boxes[ucc].add(box)
        writer = asyncio.create_task(box.run())
        try:
            while True:
                await socket.receive_text()
        except WebSocketDisconnect:
            return
        finally:
            self._boxes[ucc].discard(box)
            writer.cancel()
