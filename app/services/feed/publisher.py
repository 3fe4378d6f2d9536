"""Put rounds of ticks on the stream, through restarts of Valkey, in order."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from app.domain.instruments import Venue
from app.domain.market_data import Tick
from app.domain.ports import Clock
from app.infra.market_codec import (
    KEEP_ROUNDS,
    TickRound,
    decode_round,
    encode_gap,
    encode_mark,
    encode_round,
)
from app.infra.names import FEED_STATE_KEY, MARKS_KEY, TICKS_STREAM

log = structlog.get_logger()

_BACKLOG = 2_000
_PAGE = 200
_ALIVE_EVERY = timedelta(seconds=1)

OnRound = Callable[[Sequence[Tick]], None]
"""Hears of each published round, in the feed's own time: it must return at once and never raise."""


class RoundPublisher:
    """Publish rounds with their marks and the feed's state in one transaction each. For one asyncio loop.

    While Valkey is away rounds wait in order; the oldest of more than 2,000 are dropped and a gap is
    marked in their place.
    """

    def __init__(
        self,
        valkey: redis.asyncio.Redis,
        *,
        venue: Venue,
        clock: Clock,
        on_round: OnRound | None = None,
    ) -> None:
        self._valkey = valkey
        self._on_round = on_round
        self._clock = clock
        self._stream = TICKS_STREAM.format(venue=venue)
        self._marks_key = MARKS_KEY.format(venue=venue)
        self._state_key = FEED_STATE_KEY.format(venue=venue)
        self._waiting: deque[TickRound] = deque()
        self._gap: str | None = None
        self._number = 0
        self._status = "starting"
        self._is_behind = False
        self._alive_at = datetime.fromtimestamp(0, UTC)
        self._pending = -1  # what a predecessor left is unknown
        # One writer at a time: `pending` must not be overwritten by an older value.
        self._lock = asyncio.Lock()

    @property
    def has_waiting(self) -> bool:
        """Whether something waits for Valkey to come back."""
        return self._is_behind

    async def restore(self, since: datetime) -> list[TickRound]:
        """Return the published rounds from a moment on, oldest first, and continue their numbers.

        Raises:
            RedisError: Valkey is away.
        """
        rounds: list[TickRound] = []
        before = "+"
        while True:
            page = cast(
                "list[tuple[str, dict[str, str]]]",
                await self._valkey.xrevrange(self._stream, max=before, count=_PAGE),
            )
            decoded = [found for _, fields in page if (found := decode_round(fields)) is not None]
            rounds += (tick_round for tick_round in decoded if tick_round.ts_event >= since)
            if len(page) < _PAGE or any(tick_round.ts_event < since for tick_round in decoded):
                break
            before = f"({page[-1][0]}"
        rounds.reverse()
        self._number = max((tick_round.number for tick_round in rounds), default=self._number)
        return rounds

    async def publish(self, ticks: Sequence[Tick], *, pending: int) -> None:
        """Publish the ticks of one instant; `pending` bars wait for their indicators from now on."""
        self._number += 1
        tick_round = TickRound(
            ts_event=ticks[0].ts_event, number=self._number, wall=self._clock.wall(), ticks=tuple(ticks)
        )
        self._waiting.append(tick_round)
        if len(self._waiting) > _BACKLOG:
            self._waiting.popleft()
            self._gap = "the stream server was away for too long"
        self._pending, self._status = pending, "live"
        await self.flush()
        if self._on_round is not None:
            self._on_round(ticks)

    async def mark_gap(self, reason: str) -> None:
        """Say that prices before what follows may be missing."""
        self._gap, self._status = reason, "gap"
        await self.flush()

    async def set_pending(self, pending: int) -> None:
        """Tell watchers how many bars wait for their indicators; nothing is sent when they know."""
        if pending != self._pending:
            self._pending = pending
            await self.flush()

    async def note_alive(self) -> None:
        """Say that the feed hears its venue although no price has changed; at most once a second.

        Who watches prices for others tells a market that rests from a feed that is dead by this.
        """
        wall = self._clock.wall()
        if wall - self._alive_at < _ALIVE_EVERY or self._waiting:
            return
        self._alive_at = wall
        try:
            await cast("Any", self._valkey.hset(self._state_key, "last_wall", wall.isoformat()))
        except RedisError as e:
            log.warning("feed_alive_not_told", error=type(e).__name__)

    async def flush(self) -> None:
        """Send what waits; keeps it when Valkey is away."""
        async with self._lock:
            try:
                await self._send_gap()
                while self._waiting:
                    await self._send(self._waiting[0])
                    self._waiting.popleft()
                state = {"pending": self._pending, "status": self._status}
                await cast("Any", self._valkey.hset(self._state_key, mapping=cast("Any", state)))
                self._is_behind = False
            except RedisError as e:
                self._is_behind = True
                log.warning("rounds_wait", waiting=len(self._waiting), error=type(e).__name__)

    async def _send_gap(self) -> None:
        if self._gap is None:
            return
        fields = cast("dict[Any, Any]", encode_gap(self._gap))
        await self._valkey.xadd(self._stream, fields, maxlen=KEEP_ROUNDS, approximate=True)
        self._gap = None

    async def _send(self, tick_round: TickRound) -> None:
        state = {
            "last_ts": tick_round.ts_event.isoformat(),
            "last_wall": tick_round.wall.isoformat(),
            "number": tick_round.number,
            "pending": self._pending,
            "status": self._status,
        }
        marks = {tick.instrument_id: encode_mark(tick, tick_round.wall) for tick in tick_round.ticks}
        async with self._valkey.pipeline(transaction=True) as pipe:
            pipe.hset(self._marks_key, mapping=cast("Any", marks))
            pipe.hset(self._state_key, mapping=cast("Any", state))
            fields = cast("dict[Any, Any]", encode_round(tick_round))
            pipe.xadd(self._stream, fields, maxlen=KEEP_ROUNDS, approximate=True)
            await pipe.execute()
