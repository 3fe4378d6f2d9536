"""Put the parts of the simulated venue together and move its time along."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from brokers.simulators.binance import futures_rows, spot_rows
from brokers.simulators.binance.accounts import Account, Accounts
from brokers.simulators.binance.algos import Algos
from brokers.simulators.binance.clock import COARSE_S, Grid, VirtualClock
from brokers.simulators.binance.exchange import Exchange, Listener
from brokers.simulators.binance.faults import FaultPlan
from brokers.simulators.binance.futures_desk import FuturesDesk
from brokers.simulators.binance.journal import Journal
from brokers.simulators.binance.ledger import Ledger, OrderList
from brokers.simulators.binance.limits import Limits
from brokers.simulators.binance.market_streams import MarketStreams
from brokers.simulators.binance.minutes import PricePath, load_minutes
from brokers.simulators.binance.orders import AlgoOrder, Report
from brokers.simulators.binance.settings import Settings
from brokers.simulators.binance.spot_desk import SpotDesk
from brokers.simulators.binance.symbols import FUTURES, SPOT, list_symbols
from brokers.simulators.binance.tape import Tape
from brokers.simulators.binance.user_streams import UserStreams

_POLL_S = 0.05
_FUNDING_EVERY_S = 8 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the simulator is started with: `day` is virtual, `replay` the day of the data that plays on it."""

    data: Path
    day: date
    replay: date
    seed: int
    faults: str
    tick_s: int = COARSE_S


class Simulator:
    """One venue with its market: everything that the wire modules talk to."""

    def __init__(self, options: Options) -> None:
        opens = datetime(options.day.year, options.day.month, options.day.day, tzinfo=UTC)
        self.options = options
        self.clock = VirtualClock(opens)
        self.grid = Grid(opens, options.tick_s)
        self.settings = Settings()
        path = PricePath(load_minutes(options.data, options.replay), opens, options.seed)
        self.tape = Tape(path, list_symbols(), options.seed)
        self.tape.advance(opens)  # there is a price from the first moment on
        self.faults = FaultPlan(options.faults, options.seed, self.clock.now)
        self.accounts = Accounts()
        self.journal = Journal()
        self.limits = Limits(self.settings)
        self.users = UserStreams(self.faults, self.settings, options.seed)
        self.market_streams = MarketStreams(self.tape, self.faults, self.settings)
        self.exchange = Exchange(
            clock=self.clock,
            tape=self.tape,
            faults=self.faults,
            seed=options.seed,
            listener=Listener(on_report=self._on_report, on_list=self._on_list),
        )
        self.algos = Algos(self.exchange, self.settings, self._on_algo)
        parts = {"settings": self.settings, "limits": self.limits, "faults": self.faults}
        self.spot = SpotDesk(exchange=self.exchange, **parts)  # type: ignore[arg-type]  # by name
        self.futures = FuturesDesk(exchange=self.exchange, algos=self.algos, **parts)  # type: ignore[arg-type]
        self._advancing = asyncio.Lock()
        self._funded = int(opens.timestamp()) // _FUNDING_EVERY_S

    def put_account(self, raw: Mapping[str, object]) -> Account:
        """Add or change an account; new balances take effect at once."""
        account = self.accounts.put(raw)
        ledger = self.exchange.ledgers.get(account.name)
        if ledger is None:
            opening = Ledger(
                account=account.name,
                balances=account.opening(),
                futures_usdt=Decimal(account.futures_usdt),
            )
            ledger = self.exchange.ledgers[account.name] = opening
            for market, name in self.tape.symbols:
                if market == FUTURES:
                    ledger.position(name)
        elif "spot_balances" in raw:
            ledger.balances = account.opening()
        if "futures_usdt" in raw:
            ledger.futures_usdt = Decimal(account.futures_usdt)
        return account

    def server_ms(self, endpoint: str, account: str = "") -> int:
        """Return the server's time, ms; a fault may set it ahead or, with negative seconds, back."""
        machine = self.settings.server_clock == "machine"
        now_ms = int(time.time() * 1000) if machine else self.clock.now_ms()
        skew = self.faults.draw("clock_skew", endpoint, account)
        return now_ms + (int(skew.seconds * 1000) if skew else 0)

    def visible_until(self, account: str, endpoint: str) -> float:
        """Return the monotonic instant up to which a report shows the book; 0 shows an empty one."""
        if self.faults.draw("book_empty", endpoint, account):
            return 0.0
        hit = self.faults.draw("book_lag", endpoint, account)
        return time.monotonic() - (hit.seconds if hit else self.faults.profile.book_lag_s)

    async def advance(self) -> None:
        """Process every grid instant that virtual time has passed, in order."""
        async with self._advancing:
            while (due := self.grid.next_after(self.tape.instant)) <= self.clock.now():
                self._tick(due)
                await asyncio.sleep(0)

    async def run(self) -> None:
        """Tick along while the clock runs by itself."""
        while True:
            await self.advance()
            if self.clock.rate > 0:
                self.market_streams.on_rest()
            self._check_countdowns()
            self.users.expire_due(self.clock.now_ms())
            wait = self.clock.real_seconds_until(self.grid.next_after(self.tape.instant))
            await asyncio.sleep(min(max(wait, 0.001), _POLL_S))

    def _tick(self, instant: datetime) -> None:
        self.tape.advance(instant)
        self.market_streams.on_tick()
        self.exchange.on_tick()
        self._fund(instant)
        self.algos.on_tick()

    def _fund(self, instant: datetime) -> None:
        """Settle the funding of 00:00, 08:00 and 16:00 UTC with the first tick at or after it."""
        period = int(instant.timestamp()) // _FUNDING_EVERY_S
        if period != self._funded:
            self._funded = period
            self.exchange.fund(period * _FUNDING_EVERY_S * 1000)

    def _check_countdowns(self) -> None:
        now = time.monotonic()
        for ledger in self.exchange.ledgers.values():
            for symbol in [name for name, due in ledger.countdowns.items() if due <= now]:
                del ledger.countdowns[symbol]
                self.futures.cancel_symbol(ledger, symbol)

    def shut_down(self) -> int:
        """Announce the end of the server to every connection, as an upgrade does, and cut them."""
        event: dict[str, object] = {"e": "serverShutdown", "E": self.clock.now_ms()}
        self.market_streams.announce(event)
        return self.users.announce({"event": event})

    def _on_report(self, report: Report) -> None:
        order, now_ms = report.order, self.clock.now_ms()
        ledger = self.exchange.ledgers[order.account]
        if order.market == SPOT:
            self.users.push(SPOT, order.account, spot_rows.execution_report(report, now_ms))
            self.users.push(SPOT, order.account, spot_rows.account_position(ledger, now_ms))
            if report.fill is not None and len(order.fills) == 1:
                self.limits.give_back(SPOT, order.account)
            return
        if report.fill is not None:
            position = ledger.position(order.symbol)
            mark = self.exchange.marks()[order.symbol]
            row = futures_rows.account_update(ledger, position, mark, now_ms)
            self.users.push(FUTURES, order.account, row)
        self.users.push(FUTURES, order.account, futures_rows.order_update(report, now_ms))
        if report.fill is not None and ledger.position(order.symbol).qty == 0:
            self.algos.expire_closing(ledger, order.symbol)

    def _on_list(self, pair: OrderList) -> None:
        self.users.push(SPOT, pair.account, spot_rows.list_status(pair, self.clock.now_ms()))

    def _on_algo(self, algo: AlgoOrder) -> None:
        self.users.push(FUTURES, algo.account, futures_rows.algo_update(algo, self.clock.now_ms()))
