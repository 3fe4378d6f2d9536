"""Put the parts of the simulated broker together and move its market along."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from brokers.simulators.mt5 import constants as mt5
from brokers.simulators.mt5.accounts import Account, Accounts
from brokers.simulators.mt5.book import Book, open_book
from brokers.simulators.mt5.checks import Moment
from brokers.simulators.mt5.clock import Clock
from brokers.simulators.mt5.dealer import Dealer, Instruction, Outcome
from brokers.simulators.mt5.executions import Executions
from brokers.simulators.mt5.faults import FaultPlan
from brokers.simulators.mt5.hours import epoch, from_epoch, is_trading
from brokers.simulators.mt5.journal import Journal
from brokers.simulators.mt5.limiter import RateLimiter
from brokers.simulators.mt5.market import TICK_S, Market, Quote, grid_instant
from brokers.simulators.mt5.matching import Matching
from brokers.simulators.mt5.minutes import load_week
from brokers.simulators.mt5.records import Order
from brokers.simulators.mt5.server_time import ServerTime
from brokers.simulators.mt5.symbols import list_symbols
from brokers.simulators.mt5.terminals import Terminals

_POLL_S = 0.05
_BREATH = 500  # ticks between two looks at the network while catching up


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the simulator is started with."""

    data: Path
    seed: int
    faults: str
    clock: Clock


class Simulator:
    """One broker with its market: everything that the wire modules talk to."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.clock = options.clock
        self.market = Market(load_week(options.data), options.seed)
        self._advancing = asyncio.Lock()
        self._steps: set[asyncio.TimerHandle] = set()  # under way in real time
        self.reset()

    def reset(self) -> None:
        """Begin anew at the clock's time: no accounts, no books, no faults but those of the start."""
        for step in self._steps:
            step.cancel()
        self._steps.clear()
        self.symbols = list_symbols()
        self.accounts = Accounts()
        self.books: dict[int, Book] = {}
        self.terminals = Terminals()
        self.faults = FaultPlan(self._options.faults, self._options.seed, self.clock.now)
        self.journal = Journal()
        self.limiter = RateLimiter()
        self.executions = Executions(now_ms=lambda: self.now_ms)
        self.dealer = Dealer(self.executions)
        self.matching = Matching(executions=self.executions, fills_in_parts=self._fills_in_parts)
        self.tick_seq = 0
        self._matched = grid_instant(self.clock.now())  # newest tick that was matched, epoch seconds
        self._now: datetime | None = None  # the tick being matched, None between ticks
        self._sent: Counter[tuple[int, str]] = Counter()
        self._request_ids = 0

    @property
    def now_ms(self) -> int:
        """Return virtual epoch milliseconds; while a tick is matched, the tick's."""
        now = self._now or self.clock.now()
        return int(now.timestamp() * 1000)

    @property
    def pending(self) -> int:
        """Return how many steps are under way in real time: nothing of ours is in flight at 0."""
        return len(self._steps)

    def put_account(self, raw: Mapping[str, object]) -> Account:
        """Add or change an account and open its book."""
        account = self.accounts.put(raw)
        if account.login not in self.books:
            self.books[account.login] = open_book(account, self.executions.next_deal(), self.now_ms)
        return account

    def quote(self) -> Quote:
        """Return the newest tick that was matched."""
        return self.market.quote(from_epoch(self._matched))

    def server_time(self, account: Account, shift_s: int = 0) -> ServerTime:
        """Return how the account's server counts time."""
        return ServerTime(fixed_s=account.utc_offset_s, shift_s=shift_s)

    def moment(self, book: Book, symbol: str) -> Moment | None:
        """Return what a request of an account meets now, None for an unknown symbol."""
        if symbol not in self.symbols:
            return None
        now = self.clock.now()
        return Moment(
            book=book,
            symbol=self.symbols[symbol],
            quote=self.quote(),
            now=now,
            offset_s=self.server_time(book.account).offset_s(epoch(now)),
        )

    def carry_out(self, book: Book, instruction: Instruction, symbol: str) -> Outcome | None:
        """Do a request at the newest tick; None for an unknown symbol."""
        moment = self.moment(book, symbol)
        return None if moment is None else self.dealer.handle(moment, instruction)

    def later(self, delay_s: float, step: Callable[[], object]) -> None:
        """Do something after a delay in real seconds; it counts as pending until then."""

        def run() -> None:
            self._steps.discard(handle)
            step()

        handle = asyncio.get_running_loop().call_later(delay_s, run)
        self._steps.add(handle)

    def next_tick(self) -> datetime:
        """Return the instant of the next tick, UTC."""
        return from_epoch(self._matched + TICK_S)

    async def advance(self) -> None:
        """Match every tick that virtual time has passed, in order; a clock set back repeats none."""
        async with self._advancing:
            done = 0
            # The clock is asked at every tick: it may be set while the network is looked at.
            while self._matched < (target := grid_instant(self.clock.now())):
                if not self._has_work():
                    self._skip_to(target)
                    return
                self._tick(self._matched + TICK_S)
                done += 1
                if done % _BREATH == 0:
                    await asyncio.sleep(0)

    async def run(self) -> None:
        """Tick along while the clock runs by itself."""
        while True:
            await self.advance()
            await asyncio.sleep(_POLL_S)

    def _has_work(self) -> bool:
        return any(book.orders or book.positions for book in self.books.values())

    def _skip_to(self, target: int) -> None:
        self.tick_seq += (target - self._matched) // TICK_S
        self._matched = target

    def _tick(self, at: int) -> None:
        self._matched, self._now = at, from_epoch(at)
        self.tick_seq += 1
        if is_trading(self._now):
            busy = [book for book in self.books.values() if book.orders or book.positions]
            self.matching.on_tick(busy, self.market.quote(self._now))
        self._now = None

    def _fills_in_parts(self, book: Book, order: Order) -> bool:
        key = f"{order.magic}:{order.ticket}"
        return self.faults.draw("partial_fill", "order_send/pending", book.account.login, key) is not None

    def order_key(self, login: int, magic: str) -> str:
        """Return a name for a write: its magic number and how often it was sent; empty without one."""
        if not magic or magic == "0":
            return ""
        self._sent[login, magic] += 1
        return f"{magic}:{self._sent[login, magic]}"

    def next_request_id(self) -> int:
        """Return a running number for replies."""
        self._request_ids += 1
        return self._request_ids

    def reject(self, book: Book, ticket: int) -> None:
        """Reject an order that was taken, if it still works."""
        order = book.orders.get(ticket)
        if order is not None:
            rejected = replace(order, comment="rejected by dealer")
            book.finish_order(rejected, mt5.ORDER_STATE_REJECTED, self.executions.now_ms())

    def fill_now(self, book: Book, ticket: int) -> bool:
        """Fill a working order as if its price had come this moment; return whether there was one."""
        order = book.orders.get(ticket)
        if order is None:
            return False
        self.executions.fill(book, order, order.left, order.price)
        return True
