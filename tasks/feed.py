"""Run the feed process of one market: `python -m tasks.feed [NSE|BINANCE|MT5]`."""

import asyncio
import signal
import sys
from datetime import date, datetime, timedelta
from itertools import count

import structlog

from app.config import load_settings
from app.db.accounts import has_enabled_accounts_for_staff
from app.db.day import ready_accounts
from app.db.loops import active_deployments
from app.domain.accounts import BrokerCode
from app.domain.errors import BrokerError
from app.domain.ids import InstrumentId
from app.domain.instruments import Instrument, Venue
from app.domain.ports import MarketFeed
from app.infra.cancellation import end_tasks
from app.infra.logs import configure_logs
from app.infra.names import TaskName
from app.infra.queue import TaskQueue
from app.infra.streams import connect_async
from app.services.feed.feed import Feed
from app.services.feed.indicator_desk import IndicatorDesk
from app.services.feed.paper_prices import PaperPrices
from app.services.feed.process import FeedWork, run_feed, subscribed
from app.services.feed.publisher import RoundPublisher
from strategies.registry import load_registry
from tasks.celery import celery_app
from tasks.container import Container, container

log = structlog.get_logger()

_AFTER_CLOSE = timedelta(minutes=1)
_REQUEST_EXPIRES_S = 10.0


class FeedProcess:
    """Compose the feed of one process."""

    def __init__(self, parts: Container, venue: Venue) -> None:
        self._parts = parts
        self._market_day = parts.market_days[venue]
        self._registry = load_registry(parts.settings.strategy_modules)
        self._valkey = connect_async(parts.addresses.redis_url)
        self._queue = TaskQueue(celery_app)
        self._turn = count()
        self.paper_prices = self._paper_prices() if self._market_day.market.paper_brokers else None

    def _paper_prices(self) -> PaperPrices:
        return PaperPrices(
            open_exchange=self._parts.open_paper_exchange,
            has_accounts=self.has_paper_accounts,
            clock=self._parts.clock,
        )

    def has_paper_accounts(self) -> bool:
        """Whether somebody trades on paper; raises OperationalError."""
        with self._parts.database.begin() as session:
            return has_enabled_accounts_for_staff(session, BrokerCode.PAPER)

    def find(self) -> FeedWork | None:
        """Return today's session and contracts once somebody is logged in."""
        day = self._market_day.today()
        session = self._market_day.session_of(day)
        if session is None or self._parts.clock.now() >= session.close_at + _AFTER_CLOSE:
            return None
        instruments = self._instruments(day)
        return FeedWork(session=session, instruments=instruments) if instruments else None

    def _instruments(self, day: date) -> list[Instrument]:
        """Return what to subscribe: India's indices and near options, elsewhere what strategies watch."""
        contracts = self._parts.contracts.of_day(day, self._market_day.market)
        if self._market_day.venue is Venue.NSE:
            return subscribed(contracts.values(), day)
        with self._parts.database.begin() as session:
            running = active_deployments(session, self._market_day.market.brokers)
        watched = {
            need.instrument_id
            for strategy, params in running
            for need in self._registry.build(strategy, params).indicator_needs()
        }
        return [contracts[instrument_id] for instrument_id in sorted(watched & contracts.keys())]

    def make(self, work: FeedWork) -> Feed:
        """Build the feed of a session."""
        return Feed(
            session=work.session,
            instruments=work.instruments,
            open_feed=self.open_feed,
            publisher=RoundPublisher(
                self._valkey,
                venue=work.session.venue,
                clock=self._parts.clock,
                on_round=None if self.paper_prices is None else self.paper_prices.note,
            ),
            indicators=IndicatorDesk(
                self._valkey, session=work.session, clock=self._parts.clock, request=self.request
            ),
            database=self._parts.database,
            clock=self._parts.clock,
        )

    def open_feed(self) -> MarketFeed | None:
        """Open the price feed with the session of the next ready account; None while nobody is ready."""
        with self._parts.database.begin() as session:
            ready = ready_accounts(session, self._market_day.today(), self._market_day.market.venue_brokers)
        turn = next(self._turn)
        for account_id in (ready[(turn + i) % len(ready)] for i in range(len(ready))):
            try:
                stored = self._parts.gateways.stored_session(account_id)
                feed = self._parts.adapter(stored.broker).market_feed(stored)
            except BrokerError as e:
                log.warning("feed_account_refused", account_id=account_id, error=str(e))
                continue
            log.info("feed_opened", account_id=account_id)
            return feed
        return None

    def request(self, instrument_id: InstrumentId, minutes: int, start: datetime) -> None:
        """Enqueue the indicators of a bar; raises UnavailableError."""
        self._queue.send(
            TaskName.COMPUTE_INDICATORS,
            expires_s=_REQUEST_EXPIRES_S,
            instrument_id=instrument_id,
            minutes=minutes,
            start=start.isoformat(),
        )


async def _main() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    parts = container()
    process = FeedProcess(parts, Venue(sys.argv[1]) if sys.argv[1:] else Venue.NSE)
    paper = [] if process.paper_prices is None else [process.paper_prices.start()]
    try:
        await run_feed(process.find, process.make, stop)
    finally:
        await end_tasks(paper)


if __name__ == "__main__":
    configure_logs(load_settings().log_level, process="feed")
    asyncio.run(_main())
