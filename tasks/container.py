"""Wire the parts of a worker process together, once, after the process is its own (never before a fork)."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property

from redis import Redis

from app.config import Settings, load_settings
from app.db.session import Database
from app.domain.accounts import BrokerCode
from app.domain.charges import RateBook
from app.domain.instruments import Venue
from app.domain.markets import MARKETS, Market
from app.domain.ports import BrokerAdapter, Clock
from app.infra.breaker_store import BreakerStore
from app.infra.calendars import load_calendar
from app.infra.charge_tables import load_charges
from app.infra.clock import open_clock
from app.infra.engines.engines import Engines, ensure_engines
from app.infra.holders import this_holder
from app.infra.rate_limit import OrderBudget
from app.infra.streams import connect, connect_impatient
from app.infra.vault import Vault
from app.services.book_audit import BookAuditor
from app.services.breakers import Breakers
from app.services.costs import Costs
from app.services.credentials import open_vault
from app.services.entry_windows import EntryWindows
from app.services.execution import Execution
from app.services.gateways import Gateways
from app.services.lanes.books import BooksRun
from app.services.lanes.departures import Departures
from app.services.lanes.exits import ExitLane
from app.services.lanes.requests import ContractBook
from app.services.logins import Logins
from app.services.market_day import MarketDay
from app.services.news import News
from app.services.paper import Paper, PaperExchange
from app.services.time_book import TimeBook
from app.services.trading import Trading
from brokers.paper.house import PaperHouse, read_token
from brokers.registry import adapter

_POOL_SIZE = 16
_MAX_IDLE_S = 8.0
LANES_PATIENCE_S = 1.5
"""How long a lane and PostgreSQL wait for each other: shorter than I5 allows a position to be bare.

A successor needs the rows of who was frozen in the lane; a lane needs a new connection for a dead one.
"""
_PAPER_TIMEOUT_S = 2.0


@cache
def engines() -> Engines:
    """Return the addresses of the engines, starting embedded ones where no address is set."""
    settings = load_settings()
    return ensure_engines(
        settings.home,
        None if settings.redis_url is None else settings.redis_url.get_secret_value(),
        None if settings.database_url is None else settings.database_url.get_secret_value(),
    )


@dataclass(frozen=True)
class Container:
    """Build each part of the process when it is first needed; all of them are thread-safe."""

    settings: Settings
    addresses: Engines
    stop: threading.Event
    holder: str

    @cached_property
    def clock(self) -> Clock:
        """The platform's clock."""
        return open_clock(self.settings.clock_file)

    @cached_property
    def database(self) -> Database:
        """PostgreSQL."""
        return self._database(max_idle_s=_MAX_IDLE_S)

    @cached_property
    def lane_database(self) -> Database:
        """The same for lanes, whose transactions are short: neither side waits for one that stands still."""
        return self._database(max_idle_s=LANES_PATIENCE_S, answers_in_s=LANES_PATIENCE_S)

    def _database(self, *, max_idle_s: float, answers_in_s: float | None = None) -> Database:
        return Database(
            self.addresses.database_url,
            pool_size=_POOL_SIZE,
            max_overflow=_POOL_SIZE,
            max_idle_s=max_idle_s,
            answers_in_s=answers_in_s,
        )

    def close(self) -> None:
        """Close what is connected."""
        self.gateways.close()
        self.valkey.close()
        self.lane_database.close()
        self.database.close()

    @cached_property
    def valkey(self) -> Redis:
        """Streams, marks, budgets; database 0."""
        return connect(self.addresses.redis_url)

    @cached_property
    def impatient_valkey(self) -> Redis:
        """The same, for the lanes: no order waits for a Valkey that hangs."""
        return connect_impatient(self.addresses.redis_url)

    @cached_property
    def vault(self) -> Vault:
        """The secrets."""
        return open_vault(self.settings, self.database)

    @cached_property
    def news(self) -> News:
        """What dashboards and sleeping runs are told."""
        return News(self.impatient_valkey)

    @cached_property
    def execution(self) -> Execution:
        """Outcomes and reports into the ledger."""
        return Execution(self.lane_database, self.clock, self.news)

    @cached_property
    def _adapters(self) -> dict[BrokerCode, BrokerAdapter]:
        return {}

    def adapter(self, code: BrokerCode) -> BrokerAdapter:
        """Return the broker's adapter of this process."""
        if code not in self._adapters:
            self._adapters[code] = adapter(
                code,
                base_url=self._base_url(code),
                clock=self.clock,
                is_live_allowed=self.settings.is_live_trading_allowed,
            )
        return self._adapters[code]

    @property
    def reachable_brokers(self) -> frozenset[BrokerCode]:
        """The brokers of our markets that this process may speak to."""
        brokers = {broker for venue in self.settings.venues for broker in MARKETS[venue].brokers}
        is_live = self.settings.is_live_trading_allowed
        return frozenset(
            b for b in brokers if is_live or b is BrokerCode.PAPER or self.settings.is_simulated(b)
        )

    def _base_url(self, code: BrokerCode) -> str | None:
        if code is BrokerCode.PAPER:
            return self.settings.paper_url
        return self.settings.broker_urls.get(code.value)

    @cached_property
    def gateways(self) -> Gateways:
        """The accounts' gateways of this process."""
        return Gateways(self.database, self.vault, self.adapter, self.clock)

    @cached_property
    def contracts(self) -> ContractBook:
        """The day's contract terms."""
        return ContractBook(self.database)

    @cached_property
    def time_book(self) -> TimeBook:
        """What decides by the clock."""
        return TimeBook(load_calendar())

    @cached_property
    def budget(self) -> OrderBudget:
        """The accounts' order budgets."""
        return OrderBudget(self.impatient_valkey, per_second=self.settings.orders_per_second)

    @cached_property
    def breakers(self) -> Breakers:
        """The breakers of all brokers, shared with the other processes."""
        return Breakers(
            BreakerStore(self.impatient_valkey), self.clock, self.settings, broker_of=self.gateways.broker_of
        )

    def new_exit_lane(self) -> ExitLane:
        """Return an exits lane for one run."""
        return ExitLane(
            settings=self.settings,
            database=self.lane_database,
            clock=self.clock,
            execution=self.execution,
            gateways=self.gateways,
            budget=self.budget,
            breakers=self.breakers,
            contracts=self.contracts,
            departures=self.new_departures(),
            valkey=self.impatient_valkey,
        )

    def new_departures(self) -> Departures:
        """Return what lets the legs of one exits lane leave by the clock."""
        return Departures(
            database=self.lane_database,
            clock=self.clock,
            contracts=self.contracts,
            times=self.time_book,
            rates=self.rates,
            valkey=self.impatient_valkey,
        )

    def new_books_run(self) -> BooksRun:
        """Return a reader of the brokers' books for one run."""
        return BooksRun(
            settings=self.settings,
            database=self.lane_database,
            clock=self.clock,
            execution=self.execution,
            gateways=self.gateways,
            breakers=self.breakers,
            news=self.news,
        )

    @cached_property
    def logins(self) -> Logins:
        """Logging in."""
        return Logins(
            settings=self.settings,
            database=self.database,
            clock=self.clock,
            vault=self.vault,
            adapters=self.adapter,
            execution=self.execution,
            breakers=self.breakers,
            news=self.news,
            paper=self.paper,
        )

    @cached_property
    def paper(self) -> Paper:
        """The owner's side of the paper exchange."""
        return Paper(
            read_token=lambda: read_token(self.settings.paper_home), open_exchange=self.open_paper_exchange
        )

    def open_paper_exchange(self) -> PaperExchange:
        """Return a connection to the paper exchange; raises ConfigError before its first start."""
        return PaperHouse(
            self.settings.paper_url, token=read_token(self.settings.paper_home), timeout_s=_PAPER_TIMEOUT_S
        )

    @cached_property
    def market_days(self) -> Mapping[Venue, MarketDay]:
        """The day of each market that this installation trades."""
        return {venue: self._market_day(MARKETS[venue]) for venue in self.settings.venues}

    def days(self) -> dict[date, list[Market]]:
        """Return the trading dates of this moment, each with the markets that have it."""
        found: dict[date, list[Market]] = {}
        for market_day in self.market_days.values():
            found.setdefault(market_day.today(), []).append(market_day.market)
        return found

    @cached_property
    def book_auditor(self) -> BookAuditor:
        """The independent reader of the brokers' books."""
        return BookAuditor(self.database, self.clock, self.gateways, self.breakers)

    def _market_day(self, market: Market) -> MarketDay:
        return MarketDay(
            market,
            settings=self.settings,
            database=self.database,
            clock=self.clock,
            times=self.time_book,
            logins=self.logins,
            paper=self.paper,
            gateways=self.gateways,
            adapters=self.adapter,
            news=self.news,
            sleep=time.sleep,
        )

    @cached_property
    def rates(self) -> RateBook:
        """The dated rates of charges."""
        return load_charges()

    @cached_property
    def costs(self) -> Costs:
        """What a day costs."""
        return Costs(self.rates)

    @cached_property
    def trading(self) -> Trading:
        """Recording decisions."""
        return Trading(
            database=self.database,
            clock=self.clock,
            news=self.news,
            costs=self.costs,
            windows=EntryWindows(self.database, self.time_book),
        )


@cache
def container() -> Container:
    """Return the container of this process."""
    stop = threading.Event()
    return Container(settings=load_settings(), addresses=engines(), stop=stop, holder=this_holder())
