"""Run one venue's feed for one session: prices in, rounds, bars and requests for indicators out."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import cast

import structlog
from sqlalchemy.exc import OperationalError

from app.db.bars import bars_with_indicators, save_bars
from app.db.session import Database
from app.domain.bars import bar_start
from app.domain.calendar_rules import TradingSession
from app.domain.errors import BrokerError
from app.domain.instruments import Instrument
from app.domain.market_data import FIFTEEN_MINUTES, FIVE_MINUTES, Bar, Tick
from app.domain.ports import Clock, MarketFeed
from app.domain.reports import FeedAlive, Gap
from app.infra.cancellation import end_tasks
from app.services.feed.bar_desk import BarDesk
from app.services.feed.indicator_desk import IndicatorDesk
from app.services.feed.publisher import RoundPublisher
from app.services.feed.rounds import Inbox, RoundBuilder

log = structlog.get_logger()

# An open round closes after so many quiet looks. Several short waits, not one long one: a busy machine may
# stop this process for longer than any wait in the middle of a frame, and that is no silence of the venue.
_QUIET_LOOKS = 3
_LOOK_S = 0.005
_IDLE_S = 0.25
_RETRY_S = 0.5
_LAST_BARS_WITHIN_S = 30.0
_AFTER_CLOSE = timedelta(minutes=1)

OpenFeed = Callable[[], MarketFeed | None]
"""Opens a price feed with the session of a logged-in account, another one at each call; None without any."""


class Feed:
    """Feed one session; use once. A successor rebuilds the open bars from the stream after a kill -9."""

    def __init__(
        self,
        *,
        session: TradingSession,
        instruments: Sequence[Instrument],
        open_feed: OpenFeed,
        publisher: RoundPublisher,
        indicators: IndicatorDesk,
        database: Database,
        clock: Clock,
    ) -> None:
        self._session = session
        self._instruments = instruments
        self._open_feed = open_feed
        self._publisher = publisher
        self._indicators = indicators
        self._database = database
        self._clock = clock
        self._desk = BarDesk((i.instrument_id for i in instruments), session)
        self._rounds = RoundBuilder()
        self._inbox = Inbox()
        self._arrived = asyncio.Event()
        self._bars: asyncio.Queue[list[Bar]] = asyncio.Queue()

    async def run(self, stop: asyncio.Event) -> None:
        """Feed until the session is over and its last bars are stored, or until told to stop."""
        await self._indicators.start()
        await self._rebuild()
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(work()) for work in (self._receive, self._keep_bars, self._watch)]
            try:
                await self._publish_rounds(stop)
                async with asyncio.timeout(_LAST_BARS_WITHIN_S):
                    await self._bars.join()
            finally:
                # Also after a cancellation or a helper's fault: a group cancels once, then waits for ever.
                await end_tasks(helpers)

    async def _rebuild(self) -> None:
        """Continue where a killed predecessor stood: its open bars, and bars that it had not stored yet."""
        now = max(self._clock.now(), self._session.open_at)
        # The present bars are open, and one that closed within the last minutes may not be stored yet.
        recent = now - FIVE_MINUTES.length
        since = min(bar_start(recent, spec, self._session) for spec in (FIVE_MINUTES, FIFTEEN_MINUTES))
        bars: list[Bar] = []
        for tick_round in await self._publisher.restore(max(since, self._session.open_at)):
            bars += self._desk.on_ticks(tick_round.ticks) + self._desk.on_time(tick_round.ts_event)
        await self._close_bars(await asyncio.to_thread(self._unfinished, bars))
        await self._publisher.set_pending(self._indicators.pending)

    def _unfinished(self, bars: Sequence[Bar]) -> list[Bar]:
        with self._database.begin() as session:
            done = bars_with_indicators(session, bars)
        return [bar for bar in bars if (bar.instrument_id, bar.spec.minutes, bar.start) not in done]

    async def _receive(self) -> None:
        """Read the venue for ever; another account's session takes over when one is refused."""
        while True:
            try:
                feed = await asyncio.to_thread(self._open_feed)
                if feed is not None:
                    await self._follow(feed)
            except BrokerError as e:
                log.warning("feed_lost", error=str(e), kind=type(e).__name__)
                self._put(Gap(reason=str(e)))
            await asyncio.sleep(_RETRY_S)

    async def _follow(self, feed: MarketFeed) -> None:
        # Closing the generator closes the adapter's socket, also when this task is cancelled.
        ticks = cast("AsyncGenerator[Tick | Gap | FeedAlive, None]", feed.ticks(self._instruments))
        async with aclosing(ticks):
            async for item in ticks:
                if isinstance(item, FeedAlive):
                    await self._publisher.note_alive()
                else:
                    self._put(item)

    def _put(self, item: Tick | Gap) -> None:
        self._inbox.put(item)
        self._arrived.set()

    async def _publish_rounds(self, stop: asyncio.Event) -> None:
        while not stop.is_set() and self._clock.now() < self._session.close_at + _AFTER_CLOSE:
            if not await self._has_news():
                await self._close_round()
                await self._close_bars(self._desk.on_time(self._clock.now()))
                if self._publisher.has_waiting:
                    await self._publisher.flush()
                continue
            for item in self._inbox.take():
                if isinstance(item, Gap):
                    log.warning("feed_gap", reason=item.reason)
                    await self._close_round()
                    await self._publisher.mark_gap(item.reason)
                else:
                    await self._publish(self._rounds.add(item))

    async def _has_news(self) -> bool:
        self._arrived.clear()
        if len(self._inbox):
            return True
        waits = (_LOOK_S,) * _QUIET_LOOKS if self._rounds.is_open else (_IDLE_S,)
        for wait_s in waits:
            try:
                # Not wait_for: in Python 3.11 it may swallow a cancellation that meets the event.
                async with asyncio.timeout(wait_s):
                    await self._arrived.wait()
            except TimeoutError:
                continue
            return True
        return False

    async def _close_round(self) -> None:
        await self._publish(self._rounds.flush())

    async def _publish(self, ticks: tuple[Tick, ...]) -> None:
        if not ticks:
            return
        bars = self._desk.on_ticks(ticks) + self._desk.on_time(ticks[0].ts_event)
        # What waits is counted before the round goes out: a watcher that sees the round sees the count.
        if bars:
            await self._indicators.expect(bars)
        await self._publisher.publish(ticks, pending=self._indicators.pending)
        if bars:
            self._bars.put_nowait(bars)

    async def _close_bars(self, bars: list[Bar]) -> None:
        if bars and await self._indicators.expect(bars):
            await self._publisher.set_pending(self._indicators.pending)
        if bars:
            self._bars.put_nowait(bars)

    async def _keep_bars(self) -> None:
        """Store bars in the order in which they closed, then ask for their indicators."""
        while True:
            bars = await self._bars.get()
            while not await asyncio.to_thread(self._save, bars):  # noqa: ASYNC110  the database rings no bell
                await asyncio.sleep(_RETRY_S)
            await self._indicators.ask([(b.instrument_id, b.spec.minutes, b.start) for b in bars])
            self._bars.task_done()

    def _save(self, bars: Sequence[Bar]) -> bool:
        try:
            with self._database.begin() as session:
                save_bars(session, bars)
        except OperationalError as e:
            log.warning("bars_wait", bars=len(bars), error=str(e.orig))
            return False
        return True

    async def _watch(self) -> None:
        while True:
            await self._indicators.watch()
            await self._publisher.set_pending(self._indicators.pending)
