"""Send to a web socket through a bounded queue, so that a slow reader never holds up the market."""

import asyncio

from starlette.websockets import WebSocket, WebSocketDisconnect

_QUEUE = 2_000
# Windows-1252 text in a binary frame: neither JSON nor a packet nor UTF-8.
GARBAGE = "Börse: Störung".encode("cp1252")
Frame = str | bytes | None  # None closes


class Outbox:
    """One connection's outgoing frames; a reader too slow for the queue is cut off."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self._frames: asyncio.Queue[Frame] = asyncio.Queue(_QUEUE)

    def put(self, frame: Frame) -> None:
        """Queue a frame, or cut the connection when the queue is full."""
        try:
            self._frames.put_nowait(frame)
        except asyncio.QueueFull:
            self.cut()

    def close(self) -> None:
        """Close right behind the frames that are queued."""
        self.put(None)

    def cut(self) -> None:
        """Drop the connection without a close frame."""
        abort(self.socket.scope["state"])

    async def run(self) -> None:
        """Send queued frames until the connection ends."""
        try:
            while True:
                frame = await self._frames.get()
                if frame is None:
                    await self.socket.close(1001)
                    return
                if isinstance(frame, bytes):
                    await self.socket.send_bytes(frame)
                else:
                    await self.socket.send_text(frame)
        except (WebSocketDisconnect, RuntimeError):
            return  # the reading side sees the same end and cleans up


async def keep_silent(socket: WebSocket) -> None:
    """Hold a connection open and say nothing until the client leaves."""
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        return


def abort(state: dict[str, object]) -> None:
    """Drop the TCP connection of a request or socket: no reply, no close frame."""
    _transport(state).abort()


def hang_up(state: dict[str, object]) -> None:
    """End the TCP connection of a request once what was written is out."""
    _transport(state).close()


def _transport(state: dict[str, object]) -> asyncio.Transport:
    transport = state["transport"]
    if not isinstance(transport, asyncio.Transport):
        raise TypeError(f"expected the connection's transport, got {type(transport).__name__}")
    return transport
