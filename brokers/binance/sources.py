"""Open the two kinds of user streams: spot by a signed subscription, futures by a listen key."""

import asyncio
import json
import ssl
import uuid
from collections.abc import Sequence

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from app.domain.errors import BrokerError, SessionExpiredError
from app.domain.ports import Clock
from app.domain.reports import OrderReport
from brokers.binance import algo, codes, events
from brokers.binance.client import BinanceClient, Cost, Reply
from brokers.binance.egress import Lane
from brokers.binance.errors import read_fault
from brokers.binance.events import Report
from brokers.binance.futures import AlgoNames
from brokers.binance.reads import Reader
from brokers.binance.stream import RefusedError
from brokers.binance.values import Row
from brokers.binance.watch import (
    HandshakeRefusedError,
    LostError,
    close_socket,
    next_message,
    open_socket,
)

_REPLY_WAIT_S = 5.0
# A listen key lives 60 min (brokers.md 2.9).
_KEEP_ALIVE_EVERY_S = 20 * 60.0
_REFUSALS = codes.AUTH_CODES | codes.ADDRESS_CODES


async def open_account_socket(url: str, client: BinanceClient, tls: ssl.SSLContext) -> ClientConnection:
    """Open a socket, and pause the address where the handshake was throttled. Raises LostError."""
    try:
        return await open_socket(url, client.transport, tls)
    except HandshakeRefusedError as e:
        client.note_handshake(e.status, e.retry_after_s)
        raise


class SpotSource:
    """Subscribe to the spot user stream by `userDataStream.subscribe.signature` on the WS API.

    The SDK's `user_socket()` does the same, but is not subscribed again after a drop (brokers.md 2.9).
    """

    def __init__(self, client: BinanceClient, reader: Reader, tls: ssl.SSLContext) -> None:
        self._client, self._reader, self._tls = client, reader, tls

    async def open(self) -> ClientConnection:
        if self._client.needs_clock():
            await asyncio.to_thread(self._reader.sync_clock)
        url = self._client.transport.endpoint.stream("ws_api")
        socket = await open_account_socket(url, self._client, self._tls)
        try:
            await self._subscribe(socket)
        except (LostError, RefusedError, asyncio.CancelledError):
            await close_socket(socket)
            raise
        return socket

    async def _subscribe(self, socket: ClientConnection) -> None:
        request_id = uuid.uuid4().hex
        frame = self._client.signed_stream_request(request_id, "userDataStream.subscribe.signature")
        try:
            await socket.send(json.dumps(frame))
        except ConnectionClosed as e:
            raise LostError("the socket closed before the subscription") from e
        answer = await self._answer(socket, request_id)
        if answer.get("status") != 200:
            await self._explain(answer)
        self._client.note_worked()

    async def _answer(self, socket: ClientConnection, request_id: str) -> Row:
        # Nothing of this account can come before the answer, so what is not the answer may be dropped.
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _REPLY_WAIT_S
        while loop.time() < deadline:
            message = await next_message(socket, max(deadline - loop.time(), 0.01))
            if message is not None and message.get("id") == request_id:
                return message
        raise LostError(f"no answer to the subscription within {_REPLY_WAIT_S:g} s")

    async def _explain(self, answer: Row) -> None:
        error = answer.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        if isinstance(code, int) and code in _REFUSALS:
            raise RefusedError(f"the subscription was refused with code {code}")
        if code == codes.CLOCK_CODE:
            await asyncio.to_thread(self._reader.sync_clock)
        raise LostError(
            f"the subscription failed with status {answer.get('status')!r:.20}, code {code!r:.20}"
        )

    async def keep_alive(self) -> None:
        """Do nothing: the subscription lives as long as its socket."""

    def reports(self, message: Row) -> Sequence[Report]:
        return events.spot_reports(message)


class FuturesSource:
    """Listen to the futures user stream with a listen key, which is renewed, and made anew when it ends.

    The key comes from the SDK; its socket is not used, for it leaves an ended key to the application and
    notices a changed one late (brokers.md 2.9).
    """

    def __init__(self, client: BinanceClient, tls: ssl.SSLContext, clock: Clock, *, names: AlgoNames) -> None:
        self._client, self._tls, self._clock, self._names = client, tls, clock, names
        self._key = ""
        self._renewed_at = 0.0

    async def open(self) -> ClientConnection:
        self._key = await asyncio.to_thread(self._new_key)
        self._renewed_at = self._clock.monotonic()
        base = self._client.transport.endpoint.stream("futures")
        return await open_account_socket(f"{base}private/ws?listenKey={self._key}", self._client, self._tls)

    async def keep_alive(self) -> None:
        if self._clock.monotonic() - self._renewed_at < _KEEP_ALIVE_EVERY_S:
            return
        self._renewed_at = self._clock.monotonic()
        fault = await asyncio.to_thread(self._renew)
        if fault is not None:
            raise LostError(f"the listen key was not renewed: {fault}")

    def _new_key(self) -> str:
        reply = self._call("futures_stream_get_listen_key")
        fault = read_fault(reply)
        if isinstance(fault, SessionExpiredError):
            raise RefusedError(f"the listen key was refused with code {reply.code}") from fault
        if fault is not None:
            raise LostError(f"no listen key: {fault}") from fault
        if not isinstance(reply.value, str) or not reply.value.isalnum():
            raise LostError("no listen key in the reply")
        return reply.value

    def _renew(self) -> BrokerError | None:
        return read_fault(self._call("futures_stream_keepalive", listenKey=self._key))

    def _call(self, method: str, **arguments: object) -> Reply:
        return self._client.call(
            method, lane=Lane.READS, timeout_s=_REPLY_WAIT_S, cost=Cost(weight=1), **arguments
        )

    def reports(self, message: Row) -> Sequence[Report]:
        reports = events.futures_reports(message)
        if message.get("e") == "ALGO_UPDATE":
            order = message.get("o")
            for report in reports:
                if isinstance(report, OrderReport) and isinstance(order, dict):
                    self._names.note(report, algo.event_actual_order(order))
            return reports
        return tuple(
            self._names.merged(report) if isinstance(report, OrderReport) else report for report in reports
        )
