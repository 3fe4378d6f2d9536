"""Watch one socket, which may die without telling.

The SDK's own sockets are not used (brokers.md 2.9): they reconnect by themselves without subscribing
again, lose what came meanwhile, die when their queue of 100 is full, cannot leave from a chosen address
and take seconds to close. The `websockets` package below them does all of it right.
"""

import asyncio
import json
import logging
import random
import ssl
from collections.abc import AsyncIterator, Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from brokers.binance.egress import AccountTransport
from brokers.binance.values import Row

_OPEN_WAIT_S = 5.0
_LOOK_EVERY_S = 1.0
_CLOSE_WAIT_S = 0.5
# Binance pings every 20 s and cuts a peer that is silent for 60 s; we look as often from our side.
_PING_EVERY_S = 20.0
_MAX_WAITING = 10_000
_BACKOFF_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)


class LostError(Exception):
    """The socket is of no use any more; the reason says why."""


class HandshakeRefusedError(LostError):
    """The server answered the handshake with an HTTP status of its own."""

    def __init__(self, status: int, retry_after_s: float | None) -> None:
        super().__init__(f"HTTP {status} at the handshake")
        self.status = status
        self.retry_after_s = retry_after_s


async def open_socket(url: str, transport: AccountTransport, tls: ssl.SSLContext) -> ClientConnection:
    """Open a socket from the account's address.

    Raises:
        LostError: it cannot be opened; HandshakeRefusedError when the server refused it.
    """
    try:
        return await connect(
            url,
            ssl=tls if url.startswith("wss:") else None,
            local_addr=(transport.egress, 0) if transport.egress else None,
            # The environment must not change where an account leaves.
            proxy=None,
            open_timeout=_OPEN_WAIT_S,
            close_timeout=_CLOSE_WAIT_S,
            ping_interval=_PING_EVERY_S,
            ping_timeout=_PING_EVERY_S,
            max_queue=_MAX_WAITING,
            logger=_silent_logger(),
        )
    except InvalidStatus as e:
        header = e.response.headers.get("Retry-After", "")
        raise HandshakeRefusedError(
            e.response.status_code, float(header) if header.isdecimal() else None
        ) from e
    except TimeoutError as e:
        raise LostError(f"no connection within {_OPEN_WAIT_S:g} s") from e
    except (OSError, WebSocketException) as e:
        raise LostError(f"cannot connect: {type(e).__name__}") from e


async def next_message(socket: ClientConnection, timeout_s: float) -> Row | None:
    """Return the next message, None when none came in time.

    Raises:
        LostError: the socket ended, or what came is no JSON object.
    """
    try:
        # Not `wait_for`: until Python 3.12 it may swallow the end of the task when a message is there.
        async with asyncio.timeout(timeout_s):
            raw = await socket.recv()
    except TimeoutError:
        return None
    except ConnectionClosed as e:
        raise LostError("the socket closed") from e
    try:
        message = json.loads(raw)
    except ValueError as e:
        raise LostError("a frame that is no JSON") from e
    if not isinstance(message, dict):
        raise LostError(f"expected an object, got {type(message).__name__}")
    return message


async def watched_messages(socket: ClientConnection, check: Callable[[], None]) -> AsyncIterator[Row]:
    """Yield the socket's messages and call `check` after each and every second without one.

    Raises:
        LostError: the socket ended, or `check` found it useless.
    """
    while True:
        message = await next_message(socket, _LOOK_EVERY_S)
        if message is not None:
            yield message
        check()


async def close_socket(socket: ClientConnection | None) -> None:
    """Close a socket without waiting long for a peer that is gone."""
    if socket is None:
        return
    closing = asyncio.ensure_future(socket.close())
    await asyncio.wait({closing}, timeout=2 * _CLOSE_WAIT_S)


async def pause(failures: int) -> None:
    """Wait before the next attempt: longer after each failure in a row, with jitter against a herd."""
    base = _BACKOFF_S[min(failures, len(_BACKOFF_S)) - 1]
    await asyncio.sleep(base * random.uniform(0.5, 1.0))


def _silent_logger() -> logging.Logger:
    # At DEBUG the package logs addresses with listen keys.
    logger = logging.getLogger("brokers.binance.socket")
    logger.setLevel(logging.CRITICAL)
    return logger
