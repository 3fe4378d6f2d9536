"""Drive a feed as a venue and a demo would: hand it ticks, move its clock, see what comes out."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import cast

from redis import Redis
from sqlalchemy import select

from app.db.models import BarRow
from app.db.session import Database
from app.domain.errors import UnavailableError
from app.domain.ids import InstrumentId
from app.domain.instruments import Instrument, OptionRight, Venue
from app.domain.market_data import Tick
from app.domain.reports import FeedAlive, Gap
from app.infra.cancellation import end_tasks
from app.infra.streams import connect_async
from app.services.feed.feed import Feed
from app.services.feed.indicator_desk import IndicatorDesk
from app.services.feed.publisher import RoundPublisher
from tests.nifty_day import DAY, NIFTY, index, option, session_of, tick, weekly_expiries

SESSION = session_of(DAY)
CALL = option(10850, OptionRight.CALL, weekly_expiries(DAY)[0])
INSTRUMENTS = (index(), CALL)
Asked = tuple[InstrumentId, int, datetime]


class SetClock:
    """Show the time that a test sets; durations are real."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> datetime:
        return datetime.now(UTC)


class ScriptedFeed:
    """Be a venue's feed: yields what a test puts, raises what a test puts."""

    def __init__(self) -> None:
        self.items: asyncio.Queue[Tick | Gap | FeedAlive | Exception] = asyncio.Queue()
        self.subscribed: Sequence[Instrument] = ()

    async def ticks(self, instruments: Sequence[Instrument]) -> AsyncIterator[Tick | Gap | FeedAlive]:
        self.subscribed = instruments
        while True:
            item = await self.items.get()
            if isinstance(item, Exception):
                raise item
            yield item


@dataclass
class Desk:
    """Keep one feed at a time on a stage of real engines."""

    database: Database
    valkey: Redis
    redis_url: str
    clock: SetClock = field(default_factory=lambda: SetClock(SESSION.open_at))
    venues: list[ScriptedFeed] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    is_queue_down: bool = False
    instruments: Sequence[Instrument] = INSTRUMENTS
    answer: Callable[[InstrumentId, int, datetime], object] | None = None
    feed: "asyncio.Task[None] | None" = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    sequence: "itertools.count[int]" = field(default_factory=itertools.count)

    def start(self) -> None:
        """Start a feed as the process would."""
        self.stop = asyncio.Event()
        client = connect_async(self.redis_url)
        feed = Feed(
            session=SESSION,
            instruments=self.instruments,
            open_feed=self._open,
            publisher=RoundPublisher(client, venue=Venue.NSE, clock=self.clock),
            indicators=IndicatorDesk(client, session=SESSION, clock=self.clock, request=self._ask),
            database=self.database,
            clock=self.clock,
        )

        async def run() -> None:
            try:
                await feed.run(self.stop)
            finally:
                await client.aclose()

        self.feed = asyncio.create_task(run())

    async def kill(self) -> None:
        """End the feed without letting it finish anything."""
        assert self.feed is not None
        await end_tasks({self.feed})

    async def finish(self) -> None:
        """Let the feed end as on a shutdown."""
        assert self.feed is not None
        self.stop.set()
        await self.feed

    async def venue(self, number: int = 1) -> ScriptedFeed:
        """Return the feed's nth connection once it is open."""
        await self.until(lambda: len(self.venues) >= number)
        return self.venues[number - 1]

    async def send(
        self, at: datetime, spot: str | Decimal, *, instruments: Sequence[Instrument] | None = None
    ) -> None:
        """Send the ticks of one instant and set the clock to it."""
        venue = await self.venue(max(len(self.venues), 1))
        self.clock.at = max(self.clock.at, at)
        for instrument in self.instruments if instruments is None else instruments:
            venue.items.put_nowait(tick(instrument, Decimal(spot), at))

    async def send_and_wait(self, at: datetime, spot: str | Decimal) -> None:
        """Send an instant and wait until it is published."""
        await self.send(at, spot)
        await self.until(lambda: self.state().get("last_ts") == at.isoformat())

    async def until(self, condition: "Callable[[], object]", timeout_s: float = 20) -> None:
        """Wait for a condition while the feed works."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, "not true in time"
            assert self.feed is None or not self.feed.done() or self.feed.exception() is None
            await asyncio.sleep(0.005)

    def rounds(self) -> list[dict[str, object]]:
        """Return what stands on the ticks stream: rounds and gap markers."""
        rows = cast("list[tuple[str, dict[str, str]]]", self.valkey.xrange("ticks:NSE"))
        return [json.loads(f["r"]) if "r" in f else {"gap": f["g"]} for _, f in rows]

    def state(self) -> dict[str, str]:
        """Return the feed's state."""
        return cast("dict[str, str]", self.valkey.hgetall("feed:NSE"))

    def bars(self, minutes: int, instrument_id: InstrumentId = NIFTY) -> list[BarRow]:
        """Return the stored bars, oldest first."""
        with self.database.begin() as session:
            statement = select(BarRow).where(BarRow.minutes == minutes, BarRow.instrument_id == instrument_id)
            return list(session.scalars(statement.order_by(BarRow.start)))

    def _open(self) -> ScriptedFeed:
        self.venues.append(ScriptedFeed())
        return self.venues[-1]

    def _ask(self, instrument_id: InstrumentId, minutes: int, start: datetime) -> None:
        self.asked.append((instrument_id, minutes, start))
        if self.is_queue_down:
            raise UnavailableError("the queue is away")
        if self.answer is not None:
            self.answer(instrument_id, minutes, start)


def at(minutes: float) -> datetime:
    """Return a moment after the open."""
    return SESSION.open_at + timedelta(minutes=minutes)
