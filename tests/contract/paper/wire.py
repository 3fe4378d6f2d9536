"""Stand on the wire between a gateway and the paper exchange, and break it on demand."""

import asyncio
import contextlib
import struct
import threading
from collections import Counter
from collections.abc import Callable

from tests.contract.cards import Fault

_SUBMIT, _BOOK = ("POST", "/orders"), ("GET", "/orders")
_WRITES = {"submit": ("POST", "/orders"), "modify": ("PUT", "/orders/"), "cancel": ("DELETE", "/orders/")}
_PAGE = b"<html><body>gateway</body></html>"
_EMPTY = b'{"orders": [], "sequence": 0, "since": "2019-01-01T00:00:00+00:00"}'
_AT_DOOR = frozenset(
    {Fault.REQUEST_LOST, Fault.THROTTLED, Fault.ERROR_PAGE, Fault.WRONG_PAGE, Fault.REDIRECTED, Fault.HANG}
)
_ON_STREAM = frozenset({Fault.STREAM_CUT, Fault.STREAM_CLOSED_BEHIND_NEWS, Fault.STREAM_DEAF})
_CLOSE_FRAME = b"\x88\x02" + struct.pack("!H", 1001)
_DEAF_S = 1.5


class Wire:
    """Forward every byte in a thread of its own; each injected fault hits once.

    Args:
        port: of the exchange.
        on_accepted: called with the reply to an accepted order before it goes on, where a fault asks for it.
    """

    def __init__(self, port: int, on_accepted: Callable[[bytes], None]) -> None:
        self._exchange_port = port
        self._on_accepted = on_accepted
        self._faults: set[Fault] = set()
        self._seen: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self._thread.start()
        self._started.wait(10)

    def inject(self, fault: Fault) -> None:
        """Make the next matching request or news fail."""
        self._faults.add(fault)

    def requests(self, method: str) -> int:
        """Return how many writes of a kind came by."""
        return self._seen[method]

    def close(self) -> None:
        """Cut everything and end the thread."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()

    async def _run(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _spend(self, fault: Fault) -> bool:
        is_on = fault in self._faults
        self._faults.discard(fault)
        return is_on

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source = writer.get_extra_info("peername")[0]
        try:
            # The exchange binds a session to its source address, so the wire keeps it.
            up_reader, up_writer = await asyncio.open_connection(
                "127.0.0.1", self._exchange_port, local_addr=(source, 0)
            )
            try:
                while await self._exchange_one(reader, writer, up_reader, up_writer):
                    pass
            finally:
                up_writer.transport.abort()
        except (asyncio.IncompleteReadError, OSError):
            pass  # one side has gone
        finally:
            writer.transport.abort()

    async def _exchange_one(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> bool:
        head, body = await _message(reader)
        method, path = head.split(b" ", 2)[:2]
        asked = (method.decode(), path.decode())
        for name, (verb, start) in _WRITES.items():
            self._seen[name] += asked[0] == verb and asked[1].startswith(start)
        if asked == _SUBMIT:
            for fault in _AT_DOOR & self._faults:
                self._faults.discard(fault)
                if fault is not Fault.HANG:
                    return await _answer_falsely(writer, fault)
                await asyncio.sleep(3.0)
        up_writer.write(head + body)
        if b"upgrade: websocket" in head.lower():
            await self._stream(reader, writer, up_reader, up_writer)
            return False
        return await self._reply(asked, writer, up_reader)

    async def _reply(
        self, asked: tuple[str, str], writer: asyncio.StreamWriter, up_reader: asyncio.StreamReader
    ) -> bool:
        head, body = await _message(up_reader)
        if asked == _SUBMIT and self._spend(Fault.REPLY_LOST):
            return False
        if asked == _SUBMIT and self._spend(Fault.REJECTED_LATER):
            await asyncio.to_thread(self._on_accepted, body)
        if asked == _BOOK and self._spend(Fault.BOOK_EMPTY):
            head, body = _head("200 OK", _EMPTY, "application/json"), _EMPTY
        writer.write(head + body)
        await writer.drain()
        return True

    async def _stream(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        writer.write(await up_reader.readuntil(b"\r\n\r\n"))
        up = asyncio.create_task(_pour(reader, up_writer))
        down = asyncio.create_task(self._frames(up_reader, writer))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)

    async def _frames(self, up_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        deaf_until = 0.0
        while True:
            frame = await _frame(up_reader)
            is_news = b'"type": "order"' in frame
            for fault in _ON_STREAM & self._faults if is_news else ():
                self._faults.discard(fault)
                if fault is Fault.STREAM_DEAF:
                    deaf_until = self._loop.time() + _DEAF_S
                    continue
                if fault is Fault.STREAM_CLOSED_BEHIND_NEWS:
                    writer.write(frame + _CLOSE_FRAME)
                    await writer.drain()
                return
            if self._loop.time() >= deaf_until:
                writer.write(frame)
                await writer.drain()


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
    return head, await reader.readexactly(length)


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """Read one frame of a server: never masked (RFC 6455, 5.2)."""
    head = await reader.readexactly(2)
    length = head[1] & 0x7F
    if length >= 126:
        extended = await reader.readexactly(2 if length == 126 else 8)
        head += extended
        length = int.from_bytes(extended, "big")
    return head + await reader.readexactly(length)


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def _answer_falsely(writer: asyncio.StreamWriter, fault: Fault) -> bool:
    if fault is Fault.REQUEST_LOST:
        return False
    refusal = b'{"error": {"code": "throttled", "message": "expected fewer orders a second"}}'
    status, body, kind, more = {
        Fault.THROTTLED: ("429 Too Many Requests", refusal, "application/json", "Retry-After: 1\r\n"),
        Fault.ERROR_PAGE: ("502 Bad Gateway", _PAGE, "text/html", ""),
        Fault.WRONG_PAGE: ("200 OK", _PAGE, "text/html", ""),
        Fault.REDIRECTED: ("307 Temporary Redirect", b"", "text/html", "Location: /orders\r\n"),
    }[fault]
    writer.write(_head(status, body, kind, more) + body)
    await writer.drain()
    return True


def _head(status: str, body: bytes, kind: str, more: str = "") -> bytes:
    lines = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return lines.encode("ascii")
