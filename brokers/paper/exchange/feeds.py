"""Push an account's news to its streams, and a beat with the last number, so that a gap is noticed."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from starlette.websockets import WebSocket, WebSocketDisconnect

from brokers.paper.exchange.exchange import News
from brokers.paper.exchange.rows import Row, order_row, position_row

SESSION_OVER = 4401
_TOO_SLOW = 4408
_QUEUE = 5_000
_BEAT_S = 1.0
Frame = str | int  # a number closes with that code


class Stream:
    """Hold one connection's outgoing frames; a reader too slow for the queue is cut off."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        self._frames: asyncio.Queue[Frame] = asyncio.Queue(_QUEUE)

    def put(self, kind: str, **content: object) -> None:
        """Queue a frame."""
        self._push(json.dumps({"type": kind, "sequence": self.sequence, **content}))

    def end(self, code: int) -> None:
        """Close behind what is queued."""
        self._push(code)

    def _push(self, frame: Frame) -> None:
        while self._frames.full():
            self._frames.get_nowait()
            frame = _TOO_SLOW
        self._frames.put_nowait(frame)

    async def write(self, socket: WebSocket) -> None:
        """Send what is queued, and a beat when nothing is, until the connection ends."""
        try:
            while True:
                try:
                    async with asyncio.timeout(_BEAT_S):
                        frame = await self._frames.get()
                except TimeoutError:
                    frame = json.dumps({"type": "beat", "sequence": self.sequence})
                if isinstance(frame, int):
                    await socket.close(frame)
                    return
                await socket.send_text(frame)
        except (WebSocketDisconnect, RuntimeError):
            return  # the reading side sees the same end and cleans up


class Feeds:
    """Hold the streams of all accounts. In the event loop only."""

    def __init__(self) -> None:
        self._streams: defaultdict[str, set[Stream]] = defaultdict(set)

    def tell(self, news: Iterable[News]) -> None:
        """Push news in the order in which it happened."""
        for item in news:
            for stream in self._streams.get(item.order.account, ()):
                stream.sequence = item.order.version
                position: Row | None = None if item.position is None else position_row(item.position)
                stream.put("order", order=order_row(item.order), position=position)

    def end(self, account: str) -> None:
        """Close every stream of an account because its sessions ended."""
        for stream in tuple(self._streams.get(account, ())):
            stream.end(SESSION_OVER)

    def open(self, account: str) -> Stream:
        """Start to collect news for a stream; its number is set by `begin` once it is known."""
        stream = Stream(0)
        self._streams[account].add(stream)
        return stream

    def drop(self, account: str, stream: Stream) -> None:
        """Forget a stream."""
        self._streams[account].discard(stream)
        if not self._streams[account]:
            del self._streams[account]


async def serve(socket: WebSocket, stream: Stream, *, expires_in_s: float) -> None:
    """Run one accepted connection until it ends; its session's end closes it."""
    loop = asyncio.get_running_loop()
    writer = asyncio.create_task(stream.write(socket))
    timer = loop.call_later(expires_in_s, stream.end, SESSION_OVER)
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        return
    finally:
        timer.cancel()
        writer.cancel()


def seconds_until(instant: datetime, now: datetime) -> float:
    """Return the seconds of the exchange's time until an instant."""
    return max(0.0, (instant - now).total_seconds())
