"""Ask for the indicators of closed bars, and ask again until they are there."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from app.domain.calendar_rules import TradingSession
from app.domain.errors import UnavailableError
from app.domain.ids import InstrumentId
from app.domain.market_data import Bar
from app.domain.ports import Clock
from app.infra.market_codec import decode_bar
from app.infra.names import BARS_STREAM, NEEDS_KEY
from app.infra.streams import BEGINNING
from app.services.indicators import parse_needs

log = structlog.get_logger()

_AGAIN_AFTER_S = 1.0
_GIVE_UP_AFTER_S = 60.0
_BLOCK_MS = 250

Request = Callable[[InstrumentId, int, datetime], None]
"""Enqueues the task for (instrument, minutes, start of bar); blocking; raises UnavailableError."""
BarKey = tuple[InstrumentId, int, datetime]


@dataclass(slots=True)
class _Waiting:
    since: float
    asked: float | None = None


class IndicatorDesk:
    """Track the bars whose indicators somebody needs until they come out on the bars stream."""

    def __init__(
        self, valkey: redis.asyncio.Redis, *, session: TradingSession, clock: Clock, request: Request
    ) -> None:
        self._valkey = valkey
        self._clock = clock
        self._request = request
        self._needs_key = NEEDS_KEY.format(venue=session.venue, day=session.date)
        self._stream = BARS_STREAM.format(venue=session.venue)
        self._position = BEGINNING
        self._needed: frozenset[tuple[InstrumentId, int]] = frozenset()
        self._waiting: dict[BarKey, _Waiting] = {}

    @property
    def pending(self) -> int:
        """How many bars wait for their indicators."""
        return len(self._waiting)

    async def start(self) -> None:
        """Begin to hear of finished bars; raises RedisError."""
        newest = cast("list[tuple[str, Any]]", await self._valkey.xrevrange(self._stream, count=1))
        self._position = newest[0][0] if newest else BEGINNING

    async def expect(self, bars: Sequence[Bar]) -> list[Bar]:
        """Start to wait for those of the bars that somebody needs; return them."""
        try:
            members = cast("set[str]", await cast("Any", self._valkey.smembers(self._needs_key)))
            self._needed = frozenset(parse_needs(members))
        except RedisError as e:
            log.warning("needs_unreadable", error=type(e).__name__)  # what was known stays in force
        wanted = [bar for bar in bars if (bar.instrument_id, bar.spec.minutes) in self._needed]
        now = self._clock.monotonic()
        for bar in wanted:
            self._waiting[_key(bar)] = _Waiting(since=now)
        return wanted

    async def ask(self, keys: Sequence[BarKey]) -> None:
        """Enqueue the tasks; a refused one is asked for again by `watch`."""
        for key in keys:
            waiting = self._waiting.get(key)
            if waiting is None:
                continue
            waiting.asked = self._clock.monotonic()
            try:
                await asyncio.to_thread(self._request, *key)
            except UnavailableError as e:
                log.warning("indicators_not_requested", bar=str(key), error=str(e))

    async def watch(self) -> None:
        """Wait a moment for values and ask again for what is overdue."""
        await self._collect()
        now = self._clock.monotonic()
        for key, waiting in list(self._waiting.items()):
            if now - waiting.since > _GIVE_UP_AFTER_S:
                log.error("indicators_given_up", bar=str(key), after_s=_GIVE_UP_AFTER_S)
                del self._waiting[key]
        overdue = [
            k for k, w in self._waiting.items() if w.asked is not None and now - w.asked > _AGAIN_AFTER_S
        ]
        await self.ask(overdue)

    async def _collect(self) -> None:
        try:
            reply = await self._valkey.xread({self._stream: self._position}, count=500, block=_BLOCK_MS)
        except RedisError as e:
            log.warning("bars_unreadable", error=type(e).__name__)
            await asyncio.sleep(_BLOCK_MS / 1000)
            return
        for _, entries in cast("Sequence[Any]", reply):
            self._position = entries[-1][0]
            for _, fields in entries:
                self._waiting.pop(_key(decode_bar(fields).bar), None)


def _key(bar: Bar) -> BarKey:
    return bar.instrument_id, bar.spec.minutes, bar.start
