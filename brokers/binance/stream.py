"""Stream an account's order and position news, and say when some may be missing."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from websockets.asyncio.client import ClientConnection

from app.domain.errors import ProtocolError
from app.domain.ports import Clock
from app.domain.reports import AccountEvent, Gap, OrderReport, StreamDown
from brokers.binance.events import Report, ending
from brokers.binance.values import Row
from brokers.binance.watch import LostError, close_socket, next_message, pause

# An accepted order shows up in the stream within moments; if it does not, the stream is deaf.
_NEWS_WAIT_S = 5.0
# A quiet account is normal and pings prove the line, so only a long silence is taken for a dead stream.
_SILENCE_S = 1800.0
_STEADY_S = 10.0
_LOOK_EVERY_S = 1.0


class RefusedError(Exception):
    """Binance refused the stream; the key must be mended, or its address or permission."""


class StreamSource(Protocol):
    """Open one kind of user stream and keep it alive."""

    async def open(self) -> ClientConnection:
        """Return a socket on which news flow. Raises LostError, RefusedError."""

    async def keep_alive(self) -> None:
        """Do what the stream needs from time to time; called every second. Raises LostError."""

    def reports(self, message: Row) -> Sequence[Report]:
        """Return the reports in one message. Raises ProtocolError."""


class OrderStream:
    """Keep one user stream alive: one asyncio task of the caller, no thread.

    Args:
        source: opens the stream of spot or of futures.
        clock: its monotonic seconds drive the watchdog.
        on_order: told of every order before the caller sees it.
    """

    def __init__(
        self, source: StreamSource, clock: Clock, *, on_order: Callable[[OrderReport], None]
    ) -> None:
        self._source = source
        self._clock = clock
        self._on_order = on_order
        self._frame_at = 0.0
        self._news_due_at: float | None = None
        self._is_doubted = False

    def expect_news(self, *, asked_at: float) -> None:
        """Note that the broker accepted what was sent at `asked_at` (monotonic s): silence now means deaf.

        News often overtakes the reply, so a frame since then settles it. Any thread may call.
        """
        if self._news_due_at is None and self._frame_at < asked_at:
            self._news_due_at = self._clock.monotonic() + _NEWS_WAIT_S

    def doubt(self) -> None:
        """Note that Binance refused the key elsewhere: connect anew and see. Any thread may call."""
        self._is_doubted = True

    async def events(self) -> AsyncIterator[AccountEvent]:
        """Yield news for ever: Gap("connected") after each (re)connect, StreamDown last of all."""
        failures = 0
        while True:
            since, socket = self._clock.monotonic(), None
            try:
                socket = await self._source.open()
                self._begin()
                yield Gap(reason="connected")
                while True:
                    for event in await self._next(socket):
                        yield event
            except RefusedError as e:
                yield StreamDown(reason=str(e), is_session_dead=True)
                return
            except LostError as e:
                failures = 1 if self._clock.monotonic() - since > _STEADY_S else failures + 1
                reason = f"lost: {e}"
            finally:
                await close_socket(socket)
            yield Gap(reason=reason)
            await pause(failures)

    def _begin(self) -> None:
        self._frame_at = self._clock.monotonic()
        self._news_due_at = None
        self._is_doubted = False

    async def _next(self, socket: ClientConnection) -> Sequence[AccountEvent]:
        message = await next_message(socket, _LOOK_EVERY_S)
        events = () if message is None else self._events(message)
        self._check()
        await self._source.keep_alive()
        return events

    def _check(self) -> None:
        now, due = self._clock.monotonic(), self._news_due_at
        if self._is_doubted:
            raise LostError("the key was refused elsewhere")
        if due is not None and now > due:
            raise LostError(f"no news within {_NEWS_WAIT_S:g} s of an accepted request")
        if now - self._frame_at > _SILENCE_S:
            raise LostError(f"silent for {_SILENCE_S:g} s")

    def _events(self, message: Row) -> Sequence[AccountEvent]:
        self._frame_at = self._clock.monotonic()
        self._news_due_at = None
        over = ending(message)
        if over is not None:
            raise LostError(over)
        try:
            reports = self._source.reports(message)
        except ProtocolError as e:
            return (Gap(reason=f"unreadable update: {e}"),)
        for report in reports:
            if isinstance(report, OrderReport):
                self._on_order(report)
        return reports
