"""Stream an account's order and position news, and say when some may be missing."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING

from app.domain.errors import ProtocolError
from app.domain.ids import BrokerOrderId
from app.domain.ports import Clock
from app.domain.reports import AccountEvent, Gap, OrderReport, PositionReport, StreamDown
from brokers.kotak_neo import mapping
from brokers.kotak_neo.watch import LostError, close_socket, pause, watched_messages

if TYPE_CHECKING:
    from neo_api_client.websocket.orderfeed import OrderFeedWebSocket

_ACK_WAIT_S = 5.0
# An accepted order shows up in the feed within moments; if it does not, the feed is deaf.
_NEWS_WAIT_S = 5.0
# A quiet account is normal, so only a long silence is taken for a dead feed.
_SILENCE_S = 300.0
_STEADY_S = 10.0


class _RefusedError(Exception):
    """The broker refused the stream; a new login is needed, or a person."""

    def __init__(self, reason: str, *, is_session_dead: bool) -> None:
        super().__init__(reason)
        self.is_session_dead = is_session_dead


class OrderStream:
    """Keep one order feed alive: one asyncio task of the caller, no thread.

    Args:
        open_feed: builds an SDK feed that never reconnects by itself.
        clock: its monotonic seconds drive the watchdog.
        on_order: told of every order before the caller sees it; returns it as the caller shall see it,
            or None when only a read of the book can tell whose it is: a Gap then follows it.
    """

    def __init__(
        self,
        *,
        open_feed: Callable[[], "OrderFeedWebSocket"],
        clock: Clock,
        on_order: Callable[[OrderReport], OrderReport | None],
    ) -> None:
        self._open_feed = open_feed
        self._clock = clock
        self._on_order = on_order
        self._frame_at = 0.0
        self._news_due_at: float | None = None
        self._asked_about: set[BrokerOrderId] = set()

    def expect_news(self, *, asked_at: float) -> None:
        """Note that the broker accepted what was sent at `asked_at` (monotonic s): silence now means deaf.

        News often overtakes the reply, so a frame since then settles it. Any thread may call.
        """
        if self._news_due_at is None and self._frame_at < asked_at:
            self._news_due_at = self._clock.monotonic() + _NEWS_WAIT_S

    async def events(self) -> AsyncIterator[AccountEvent]:
        """Yield news for ever: Gap("connected") after each (re)connect, StreamDown last of all."""
        failures = 0
        while True:
            since = self._clock.monotonic()
            feed = self._open_feed()
            try:
                await self._connect(feed)
                yield Gap(reason="connected")
                async for message in watched_messages(feed, self._check):
                    for event in self._events_of(message):
                        yield event
            except _RefusedError as e:
                yield StreamDown(reason=str(e), is_session_dead=e.is_session_dead)
                return
            except LostError as e:
                failures = 1 if self._clock.monotonic() - since > _STEADY_S else failures + 1
                reason = f"lost: {e}"
            finally:
                await close_socket(feed)
            yield Gap(reason=reason)
            await pause(failures)

    async def _connect(self, feed: "OrderFeedWebSocket") -> None:
        from neo_api_client.websocket.orderfeed import exceptions as sdk

        ack: asyncio.Future[Mapping[str, object]] = asyncio.get_running_loop().create_future()
        feed.on_raw = lambda raw: self._on_raw(raw, ack)
        try:
            await asyncio.wait_for(feed.connect(), _ACK_WAIT_S)
            answer = await asyncio.wait_for(ack, _ACK_WAIT_S)
        except TimeoutError as e:
            raise LostError(f"no acknowledgement within {_ACK_WAIT_S:g} s") from e
        except sdk.OrderFeedWebSocketError as e:
            _raise_if_forbidden(e)
            raise LostError(f"cannot connect: {e}") from e
        if answer.get("ak") != "ok":
            reason = str(answer.get("msg") or "no reason given")[:200]
            raise _RefusedError(reason, is_session_dead="auth" in reason.lower())
        self._frame_at = self._clock.monotonic()
        self._news_due_at = None
        self._asked_about.clear()

    def _on_raw(self, raw: object, ack: "asyncio.Future[Mapping[str, object]]") -> None:
        self._frame_at = self._clock.monotonic()
        self._news_due_at = None
        if ack.done() or not isinstance(raw, str | bytes):
            return
        try:
            frame = json.loads(raw)
        except ValueError:
            return
        if isinstance(frame, dict) and "ak" in frame:
            ack.set_result(frame)

    def _check(self) -> Gap | None:
        now, due = self._clock.monotonic(), self._news_due_at
        if due is not None and now > due:
            raise LostError(f"no news within {_NEWS_WAIT_S:g} s of an accepted request")
        if now - self._frame_at > _SILENCE_S:
            raise LostError(f"silent for {_SILENCE_S:g} s")
        return None

    def _events_of(self, message: object) -> tuple[AccountEvent, ...]:
        try:
            report = _report(message)
        except ProtocolError as e:
            return (Gap(reason=f"unreadable update: {e}"),)
        if not isinstance(report, OrderReport):
            return (report,)
        told, number = self._on_order(report), report.broker_order_id
        if told is not None:
            return (told,)
        # Whoever knows the number can use the news as it is; the others must read the book, once.
        is_asked = number in self._asked_about
        self._asked_about.add(number)
        return (report,) if is_asked else (report, Gap(reason=f"order {number} lost its tag"))


def _report(message: object) -> OrderReport | PositionReport:
    from neo_api_client.websocket.orderfeed import OrderUpdate, PositionUpdate

    kind, row = None, None
    if isinstance(message, OrderUpdate | PositionUpdate):
        kind, row = message.type, message.data.model_dump(by_alias=True)
    elif isinstance(message, dict):
        kind, row = message.get("type"), message.get("data")
    if kind not in ("order", "position") or not isinstance(row, dict):
        raise ProtocolError(f"expected an order or a position, got {type(message).__name__} {kind!r:.40}")
    return mapping.order_report(row) if kind == "order" else mapping.position_report(row)


def _raise_if_forbidden(fault: BaseException) -> None:
    response = getattr(fault.__cause__, "response", None)
    status = getattr(response, "status_code", None)
    if status in (401, 403):
        raise _RefusedError(f"HTTP {status} at the handshake", is_session_dead=True) from fault
