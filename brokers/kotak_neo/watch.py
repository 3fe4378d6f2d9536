"""Watch a socket of the SDK, which may die without telling (brokers.md 1.13)."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from typing import Protocol

_LOOK_EVERY_S = 1.0
_CLOSE_WAIT_S = 0.5
_BACKOFF_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)


class LostError(Exception):
    """The socket is of no use any more; the reason says why."""


class Socket(Protocol):
    """Name what both feeds of the SDK offer."""

    @property
    def is_connected(self) -> bool:
        """Whether the socket is open."""

    async def __anext__(self) -> object:
        """Return the next message."""

    async def close(self) -> None:
        """Close the socket."""


async def watched_messages(socket: Socket, check: Callable[[], object | None]) -> AsyncIterator[object]:
    """Yield the socket's messages, and what `check` has to tell: it is called about every second.

    The SDK's own iterator waits for ever when the close frame overtakes buffered messages, so the
    state of the socket is looked at beside it. Messages do not put the check off: a feed may be busy
    and useless.

    Raises:
        LostError: the socket ended, or `check` found it useless.
    """
    from neo_api_client.websocket.feed.exceptions import NotConnectedError as FeedNotConnectedError
    from neo_api_client.websocket.orderfeed.exceptions import NotConnectedError

    now = asyncio.get_running_loop().time
    pending: asyncio.Task[object] | None = None
    look_at = now() + _LOOK_EVERY_S
    try:
        while True:
            if now() >= look_at:
                look_at = now() + _LOOK_EVERY_S
                note = check()
                if note is not None:
                    yield note
            if pending is None:
                pending = asyncio.ensure_future(_next(socket))
            await asyncio.wait({pending}, timeout=max(look_at - now(), 0.0))
            if not pending.done():
                if not socket.is_connected:
                    raise LostError("the socket closed")
                continue
            finished, pending = pending, None
            try:
                message = finished.result()
            except (StopAsyncIteration, NotConnectedError, FeedNotConnectedError) as e:
                raise LostError("the socket closed") from e
            yield message
    finally:
        if pending is not None:
            pending.cancel()
            with contextlib.suppress(
                asyncio.CancelledError, StopAsyncIteration, NotConnectedError, FeedNotConnectedError
            ):
                await pending


async def _next(socket: Socket) -> object:
    return await socket.__anext__()


async def close_socket(socket: Socket) -> None:
    """Close a socket without waiting long for a peer that is gone."""
    closing = asyncio.ensure_future(socket.close())
    await asyncio.wait({closing}, timeout=_CLOSE_WAIT_S)


async def pause(failures: int) -> None:
    """Wait before the next attempt: longer after each failure in a row, with jitter against a herd."""
    base = _BACKOFF_S[min(failures, len(_BACKOFF_S)) - 1]
    await asyncio.sleep(base * random.uniform(0.5, 1.0))
