"""Prices reach the paper exchange beside the feed, newest only, and whatever it does the feed goes on."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal

from structlog.testing import capture_logs

from app.domain.errors import BrokerError, ConfigError, ProtocolError, UnavailableError
from app.domain.ids import InstrumentId
from app.domain.market_data import Tick
from app.infra.cancellation import end_tasks
from app.infra.clock import SystemClock
from app.services.feed.paper_prices import PaperPrices

AT = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)


class ScriptedExchange:
    """Take quotes; answer as a test says."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Decimal]] = []
        self.opened = 0
        self.fault: BrokerError | ConfigError | None = None
        self.is_free = threading.Event()
        self.is_free.set()
        self.is_asked = threading.Event()

    def open(self) -> "ScriptedExchange":
        self.opened += 1
        if isinstance(self.fault, ConfigError):
            raise self.fault
        return self

    def post_quotes(self, prices: Iterable[Tick]) -> int:
        self.is_asked.set()
        assert self.is_free.wait(10)
        if self.fault is not None:
            raise self.fault
        self.posts.append({tick.instrument_id: tick.last for tick in prices})
        return len(self.posts[-1])

    def close_session(self, venue: str | None = None) -> int:
        raise NotImplementedError(venue)

    def close(self) -> None:
        pass


class Stage:
    """Run the prices as the feed process does."""

    def __init__(self, *, has_accounts: bool = True) -> None:
        self.exchange = ScriptedExchange()
        self.has_accounts = has_accounts
        self.looks = 0

    def look(self) -> bool:
        self.looks += 1
        return self.has_accounts

    def play(self, scenario: "Callable[[PaperPrices], Awaitable[None]]") -> None:
        async def run() -> None:
            prices = PaperPrices(
                open_exchange=self.exchange.open,
                has_accounts=self.look,
                clock=SystemClock(),
                look_again_s=0.05,
            )
            task = prices.start()
            await until(lambda: self.looks)
            await until(lambda: prices._is_wanted == self.has_accounts)
            await scenario(prices)
            assert not task.done()
            await end_tasks([task])

        asyncio.run(run())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  what a thread does rings no bell here
            await asyncio.sleep(0.005)


def tick(name: str, last: int) -> Tick:
    return Tick(
        instrument_id=InstrumentId(name),
        last=Decimal(last),
        bid=None,
        ask=None,
        ts_event=AT,
        ts_init=AT,
        sequence=last,
    )


def test_posts_what_the_feed_published() -> None:
    stage = Stage()

    async def scenario(prices: PaperPrices) -> None:
        prices.note([tick("A", 1), tick("B", 2)])
        await until(lambda: stage.exchange.posts)

    stage.play(scenario)

    assert stage.exchange.posts == [{"A": 1, "B": 2}]


def test_without_paper_accounts_the_exchange_is_never_called() -> None:
    stage = Stage(has_accounts=False)

    async def scenario(prices: PaperPrices) -> None:
        prices.note([tick("A", 1)])
        seen = stage.looks
        await until(lambda: stage.looks > seen + 1)
        stage.has_accounts = True
        await until(lambda: prices._is_wanted)
        prices.note([tick("A", 2)])
        await until(lambda: stage.exchange.posts)

    stage.play(scenario)

    assert stage.exchange.posts == [{"A": 2}], "what came before somebody was on paper is not told"


def test_only_the_newest_waits_while_the_exchange_hangs() -> None:
    stage = Stage()

    async def scenario(prices: PaperPrices) -> None:
        stage.exchange.is_free.clear()
        prices.note([tick("A", 1)])
        await until(stage.exchange.is_asked.is_set)
        for last in range(2, 1_000):  # the feed is not held up by the call that hangs
            prices.note([tick("A", last), tick("B", last)])
        assert stage.exchange.posts == []
        stage.exchange.is_free.set()
        await until(lambda: len(stage.exchange.posts) == 2)

    stage.play(scenario)

    assert stage.exchange.posts == [{"A": 1}, {"A": 999, "B": 999}]


def test_an_outage_is_one_warning_and_what_waited_is_told_after_it() -> None:
    stage = Stage()
    stage.exchange.fault = UnavailableError("the paper exchange did not answer")

    async def scenario(prices: PaperPrices) -> None:
        stage.exchange.is_free.clear()
        prices.note([tick("A", 1), tick("B", 1)])
        await until(stage.exchange.is_asked.is_set)
        prices.note([tick("A", 2)])  # while the call that fails is under way
        stage.exchange.is_free.set()
        await until(lambda: stage.exchange.opened == 3)
        stage.exchange.fault = None
        await until(lambda: not prices._is_out)

    with capture_logs() as logs:
        stage.play(scenario)

    assert stage.exchange.posts == [{"A": 2, "B": 1}]
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("paper_prices_wait", "warning"),
        ("paper_prices_go_on", "info"),
    ]


def test_a_home_without_a_token_is_an_outage_too() -> None:
    stage = Stage()
    stage.exchange.fault = ConfigError("expected the token of a paper exchange, found none")

    async def scenario(prices: PaperPrices) -> None:
        prices.note([tick("A", 1)])
        await until(lambda: stage.exchange.opened == 2)
        stage.exchange.fault = None
        await until(lambda: stage.exchange.posts)

    stage.play(scenario)

    assert stage.exchange.posts == [{"A": 1}]


def test_what_the_exchange_cannot_read_is_not_told_again() -> None:
    stage = Stage()
    stage.exchange.fault = ProtocolError("last: expected a positive number")

    async def scenario(prices: PaperPrices) -> None:
        prices.note([tick("A", 0), tick("B", 1)])
        await until(lambda: prices._is_out)
        stage.exchange.fault = None
        prices.note([tick("B", 2)])
        await until(lambda: stage.exchange.posts)

    stage.play(scenario)

    assert stage.exchange.posts == [{"B": 2}]


def test_a_fault_of_ours_ends_the_posting_alone_and_is_told() -> None:
    def broken() -> bool:
        raise RuntimeError("a bug")

    async def run() -> None:
        prices = PaperPrices(open_exchange=ScriptedExchange().open, has_accounts=broken, clock=SystemClock())
        task = prices.start()
        await until(task.done)
        prices.note([tick("A", 1)])
        await end_tasks([task])

    with capture_logs() as logs:
        asyncio.run(run())

    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("paper_prices_ended", "error")]
