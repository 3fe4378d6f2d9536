"""Stream an account's order and position news, and say when some may be missing."""

import asyncio
import json
import random
import socket
from collections.abc import AsyncIterator, Callable, Mapping

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from app.domain.errors import ProtocolError
from app.domain.reports import AccountEvent, Gap, OrderReport, StreamDown
from brokers.paper import mapping

_CONNECT_S = 5.0
# The exchange beats every second: several missing beats mean that nobody is there.
_SILENCE_S = 5.0
_CLOSE_S = 0.5
_SESSION_OVER = 4401
_BACKOFF_S = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)


class _LostError(Exception):
    """The stream is of no use any more; the reason says why."""


class _RefusedError(Exception):
    """The exchange refused the stream; a new login is needed."""


class OrderStream:
    """Keep one order stream alive: one asyncio task of the caller, no thread.

    Every change of an account has a number; a number that is left out shows a gap at once, and a silent
    stream is noticed by the missing beats.

    Args:
        base: loopback address of the exchange.
        token: of the session.
        egress: source address, "" for any.
        on_order: told of every order before the caller sees it.
    """

    def __init__(
        self, base: httpx.URL, *, token: str, egress: str, on_order: Callable[[OrderReport], None]
    ) -> None:
        self._base, self._token, self._egress = base, token, egress
        self._on_order = on_order
        self._sequence: int | None = None

    async def events(self) -> AsyncIterator[AccountEvent]:
        """Yield news for ever: Gap("connected") after each (re)connect, StreamDown last of all."""
        failures = 0
        while True:
            connection: ClientConnection | None = None
            try:
                connection = await self._connect()
                async for frame in self._frames(connection):
                    if frame.get("type") == "hello":
                        failures = 0
                        yield Gap(reason="connected")
                        continue
                    for event in self._news(frame):
                        yield event
            except _RefusedError as e:
                yield StreamDown(reason=str(e), is_session_dead=True)
                return
            except _LostError as e:
                failures += 1
                reason = f"lost: {e}"
            finally:
                await _closed(connection)
            yield Gap(reason=reason)
            base_s = _BACKOFF_S[min(failures, len(_BACKOFF_S)) - 1]
            await asyncio.sleep(base_s * random.uniform(0.5, 1.0))

    async def _connect(self) -> ClientConnection:
        self._sequence = None
        try:
            async with asyncio.timeout(_CONNECT_S):
                plain = await self._socket()
                # On a socket that is given, the library follows no redirect.
                return await connect(
                    f"ws://{self._base.netloc.decode('ascii')}/events",
                    sock=plain,
                    additional_headers={"Authorization": f"Bearer {self._token}"},
                    proxy=None,
                    compression=None,
                    ping_interval=None,
                    close_timeout=_CLOSE_S,
                )
        except InvalidStatus as e:
            if e.response.status_code in (401, 403):
                raise _RefusedError(f"HTTP {e.response.status_code} at the handshake") from e
            raise _LostError(f"HTTP {e.response.status_code} at the handshake") from e
        except (TimeoutError, OSError, ValueError, InvalidHandshake) as e:
            raise _LostError(f"cannot connect: {type(e).__name__}") from e

    async def _socket(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._base.host else socket.AF_INET
        plain = socket.socket(family, socket.SOCK_STREAM)
        is_open = False
        try:
            plain.setblocking(False)
            if self._egress:
                plain.bind((self._egress, 0))
            await asyncio.get_running_loop().sock_connect(plain, (self._base.host, self._base.port))
            is_open = True
        finally:
            if not is_open:
                plain.close()
        return plain

    async def _frames(self, connection: ClientConnection) -> AsyncIterator[Mapping[str, object]]:
        while True:
            try:
                async with asyncio.timeout(_SILENCE_S):
                    raw = await connection.recv()
            except TimeoutError as e:
                raise _LostError(f"silent for {_SILENCE_S:g} s") from e
            except ConnectionClosed as e:
                code = None if e.rcvd is None else e.rcvd.code
                if code == _SESSION_OVER:
                    raise _RefusedError("the session ended") from e
                raise _LostError(f"the stream closed ({code})") from e
            try:
                frame = json.loads(raw)
            except ValueError as e:
                raise _LostError("an unreadable frame") from e
            if not isinstance(frame, dict):
                raise _LostError("an unreadable frame")
            self._count(frame)
            yield frame

    def _count(self, frame: Mapping[str, object]) -> None:
        """Check that no number is left out. News that overtakes the greeting is older than its number."""
        try:
            number, kind = mapping.whole(frame, "sequence"), mapping.text(frame, "type")
            if kind == "order":
                number = mapping.whole(mapping.part(frame, "order"), "version")
        except ProtocolError as e:
            raise _LostError(f"an unreadable frame: {e}") from e
        known = self._sequence
        if kind == "hello":
            self._sequence = number
        elif known is not None:
            if number != known + (kind == "order"):
                raise _LostError(f"expected change {known + (kind == 'order')}, got {number}")
            self._sequence = number

    def _news(self, frame: Mapping[str, object]) -> list[AccountEvent]:
        kind = frame.get("type")
        if kind == "beat":
            return []
        if kind != "order":
            return [Gap(reason=f"unreadable update: {kind!r:.40}")]
        try:
            report = mapping.order_report(mapping.part(frame, "order"))
            position = frame.get("position")
            found = None if position is None else mapping.position_report(mapping.part(frame, "position"))
        except ProtocolError as e:
            return [Gap(reason=f"unreadable update: {e}")]
        self._on_order(report)
        return [report] if found is None else [report, found]


async def _closed(connection: ClientConnection | None) -> None:
    if connection is not None:
        closing = asyncio.ensure_future(connection.close())
        await asyncio.wait({closing}, timeout=2 * _CLOSE_S)
