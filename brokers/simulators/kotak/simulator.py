"""Put the parts of the simulated broker together and move its day along."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from brokers.simulators.kotak.accounts import Account, Accounts
from brokers.simulators.kotak.clock import IST, Grid, VirtualClock
from brokers.simulators.kotak.contracts import list_contracts
from brokers.simulators.kotak.exchange import Exchange, Listener
from brokers.simulators.kotak.faults import FaultPlan
from brokers.simulators.kotak.journal import Journal
from brokers.simulators.kotak.ledger import Ledger, fold_positions
from brokers.simulators.kotak.limiter import Bursts, RateLimiter
from brokers.simulators.kotak.market_feed import MarketFeed
from brokers.simulators.kotak.minutes import IndexPath, load_minutes
from brokers.simulators.kotak.order_feed import OrderFeeds
from brokers.simulators.kotak.orders import Fill, Order
from brokers.simulators.kotak.pricing import ChainPricer
from brokers.simulators.kotak.rows import order_row, position_row
from brokers.simulators.kotak.tape import Tape

_POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the simulator is started with."""

    data: Path
    day: date
    seed: int
    faults: str
    base_url: str
    mutate_tags: bool = True


class Door(Protocol):
    """Name what the simulator needs from the server around it."""

    def shut(self, seconds: float) -> None:
        """Stop listening for real seconds and cut what is connected."""


class Simulator:
    """One broker with its market: everything that the wire modules talk to."""

    def __init__(self, options: Options) -> None:
        day = options.day
        self.options = options
        self.clock = VirtualClock(datetime(day.year, day.month, day.day, 8, 0, tzinfo=IST))
        self.grid = Grid(day)
        minutes = load_minutes(options.data, day)
        path = IndexPath(minutes, options.seed)
        contracts = list_contracts(day, minutes.preopen)
        self.tape = Tape(path, ChainPricer(path, options.seed), contracts)
        self.faults = FaultPlan(options.faults, options.seed, self.clock.now)
        self.accounts = Accounts(self.clock, options.seed)
        self.journal = Journal()
        self.limiter = RateLimiter()
        self.bursts = Bursts()
        self.door: Door | None = None
        self.order_feeds = OrderFeeds(self.accounts, self.faults)
        self.market_feed = MarketFeed(self.accounts, self.tape, self.faults)
        self.exchange = Exchange(
            clock=self.clock,
            grid=self.grid,
            tape=self.tape,
            faults=self.faults,
            seed=options.seed,
            listener=Listener(on_order=self._push_order, on_fill=self._push_position),
            mutate_tags=options.mutate_tags,
        )
        self._advancing = asyncio.Lock()

    def put_account(self, raw: Mapping[str, object]) -> Account:
        """Add or change an account and give it a ledger."""
        account = self.accounts.put(raw)
        ledger = self.exchange.ledgers.setdefault(account.ucc, Ledger(ucc=account.ucc, cash=account.cash))
        ledger.cash = account.cash
        return account

    def visible_until(self, ucc: str, endpoint: str) -> float:
        """Return the monotonic instant up to which a report shows the book; 0 shows an empty one."""
        if self.faults.draw("book_empty", endpoint, ucc):
            return 0.0
        hit = self.faults.draw("book_lag", endpoint, ucc)
        return time.monotonic() - (hit.seconds if hit else self.faults.profile.book_lag_s)

    def kill_sessions(self, uccs: Iterable[str] | None) -> int:
        """End the sessions of some accounts, or of all, and cut their order feeds; return how many."""
        chosen = list(self.accounts.by_ucc if uccs is None else uccs)
        for ucc in chosen:
            self.order_feeds.cut(ucc)
        return self.accounts.kill_sessions(chosen)

    def reset_keys(self, uccs: Iterable[str] | None) -> int:
        """Make the consumer keys of some accounts, or of all, worthless; their sessions end with them."""
        chosen = list(self.accounts.by_ucc if uccs is None else uccs)
        for ucc in chosen:
            self.accounts.by_ucc[ucc].consumer_key += " (reset)"
        self.kill_sessions(chosen)
        return len(chosen)

    def cut_feeds(self, uccs: Iterable[str] | None) -> int:
        """Cut the feeds of some accounts, or of all, without a word; return how many were open."""
        chosen = list(self.accounts.by_ucc if uccs is None else uccs)
        cut = sum(self.order_feeds.cut(ucc) for ucc in chosen)
        return cut + self.market_feed.cut(chosen)

    def refuse_connections(self, seconds: float) -> int:
        """Stop listening for real seconds. Raises: ValueError without a server around the simulator."""
        if self.door is None:
            raise ValueError("expected a running server, there is none")
        self.door.shut(seconds)
        return 1

    async def advance(self) -> None:
        """Process every grid instant that virtual time has passed, in order."""
        async with self._advancing:
            while True:
                due = self.grid.next_after(self.tape.instant)
                if due is None or due > self.clock.now():
                    return
                self._tick(due)
                await asyncio.sleep(0)

    async def run(self) -> None:
        """Tick along while the clock runs by itself."""
        while True:
            await self.advance()
            if self.clock.rate > 0 and not self.exchange.is_halted:
                self.market_feed.on_rest()
            due = self.grid.next_after(self.tape.instant)
            wait = self.clock.real_seconds_until(due) if due else _POLL_S
            await asyncio.sleep(min(max(wait, 0.001), _POLL_S))

    def _tick(self, instant: datetime) -> None:
        closing = instant == self.grid.closes
        opening = self.tape.instant is None
        self.tape.advance(instant, closing=closing)
        if not self.exchange.is_halted:  # nothing trades, so nothing is quoted
            self.market_feed.on_tick(opening=opening, closing=closing)
        if closing:
            self.exchange.on_close()
        else:
            self.exchange.on_tick()

    def _push_order(self, order: Order) -> None:
        self.order_feeds.push(order.ucc, "order", order_row(order, order.state))

    def _push_position(self, fill: Fill) -> None:
        fills = [
            item
            for item in self.exchange.ledgers[fill.ucc].fills
            if item.contract.token == fill.contract.token and item.product == fill.product
        ]
        (position,) = fold_positions(fills)
        self.order_feeds.push(fill.ucc, "position", position_row(fill.ucc, position, fill.at))
