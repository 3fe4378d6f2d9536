"""Both feeds fail in every way that the reference names: we tell a gap, and come back when it can be."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta

import pytest

from app.domain.errors import SessionExpiredError
from app.domain.instruments import Instrument
from app.domain.market_data import Tick
from app.domain.ports import BrokerAdapter, BrokerGateway, BrokerSession, OrderRequest
from app.domain.reports import FeedAlive, Gap, OrderReport, StreamDown
from brokers.kotak_neo.feed import KotakMarketFeed, Patience
from tests.contract.kotak_neo.desk import DayClock, Simulator
from tests.unit.kotak_neo.test_requests import request_for

PATIENCE_S = 20.0
# The simulated market moves ten times as fast as time: it ticks about three times a second.
RATE = 10.0
Item = Tick | Gap
Rule = dict[str, object]


@pytest.fixture(scope="module")
def session(simulator: Simulator, house: BrokerAdapter, clock: DayClock) -> BrokerSession:
    """The session of an account in a fast market that ticks every 3 s of its own."""
    opened = house.login(simulator.new_account(), egress="", timeout_s=10)
    simulator.post("windows", {"windows": [["2019-01-02T03:45:00+00:00", "2019-01-02T10:00:00+00:00"]]})
    simulator.post("clock", {"now": clock.now().isoformat(), "rate": RATE})
    return opened


@pytest.fixture(scope="module")
def instruments(house: BrokerAdapter, session: BrokerSession) -> Sequence[Instrument]:
    """The index and one option."""
    listed = house.request_instruments(session, date(2019, 1, 2))
    return [listed[0], listed[41]]


@pytest.fixture
def gateway(simulator: Simulator, house: BrokerAdapter, session: BrokerSession) -> Iterator[BrokerGateway]:
    """The account's gateway; all faults end with the test."""
    opened = house.restore(session)
    yield opened
    simulator.post("faults", {"faults": []})
    opened.close()


@pytest.fixture
def feed(simulator: Simulator, house: BrokerAdapter, session: BrokerSession) -> Iterator[KotakMarketFeed]:
    """A price feed; all faults end with the test."""
    opened = house.market_feed(session)
    assert isinstance(opened, KotakMarketFeed)
    yield opened
    simulator.post("faults", {"faults": []})


@pytest.fixture
def hasty(feed: KotakMarketFeed) -> KotakMarketFeed:
    """The same with little patience, for what shows only when it ends."""
    return feed.with_patience(Patience(connect_s=1.0, first_tick_s=2.0, silence_s=2.0))


class Ear:
    """Collect what a feed tells."""

    def __init__(self) -> None:
        self.items: list[object] = []

    def gaps(self) -> list[str]:
        """The reasons of the gaps so far."""
        return [item.reason for item in self.items if isinstance(item, Gap)]

    def count(self, kind: type[object]) -> int:
        """How many of one kind came so far."""
        return sum(isinstance(item, kind) for item in self.items)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110  # conditions of any kind
                await asyncio.sleep(0.01)


@asynccontextmanager
async def _listening(source: AsyncIterator[object]) -> AsyncIterator[Ear]:
    ear = Ear()

    async def collect() -> None:
        async for item in source:
            ear.items.append(item)

    task = asyncio.create_task(collect())
    try:
        yield ear
    finally:
        task.cancel()
        await asyncio.wait({task})
        await source.aclose()  # type: ignore[attr-defined]  # it is an async generator


def _prices(
    simulator: Simulator, feed: KotakMarketFeed, instruments: Sequence[Instrument], rule: Rule
) -> tuple[list[str], list[object]]:
    """Let prices flow, inject, wait until they flow again after a gap; return the gaps and all items."""

    async def scene() -> Ear:
        async with _listening(feed.ticks(instruments)) as ear:
            await ear.until(lambda: ear.count(Tick) >= 2)
            simulator.post("faults", {"faults": [rule]})
            await ear.until(ear.gaps)
            simulator.post("faults", {"faults": []})
            gap_at = next(n for n, item in enumerate(ear.items) if isinstance(item, Gap))
            await ear.until(lambda: any(isinstance(item, Tick) for item in ear.items[gap_at + 1 :]))
        return ear

    ear = asyncio.run(scene())
    return ear.gaps(), ear.items


@pytest.mark.parametrize("kind", ["feed_drop", "feed_close"])
def test_a_price_feed_that_is_cut_or_closed_behind_data_returns(
    simulator: Simulator, feed: KotakMarketFeed, instruments: Sequence[Instrument], kind: str
) -> None:
    gaps, _ = _prices(simulator, feed, instruments, {"kind": kind, "endpoint": "apifeed", "count": 1})

    assert gaps[0].startswith("lost: ")
    assert "connected again" in gaps


def test_a_price_feed_that_is_up_and_stands_still_is_built_anew(
    simulator: Simulator, hasty: KotakMarketFeed, instruments: Sequence[Instrument]
) -> None:
    gaps, _ = _prices(simulator, hasty, instruments, {"kind": "stale_quotes"})

    assert "lost: no tick for 2 s" in gaps
    assert "connected again" in gaps


def test_a_market_that_rests_shows_that_its_feed_lives(
    simulator: Simulator, feed: KotakMarketFeed, instruments: Sequence[Instrument]
) -> None:
    async def scene() -> None:
        async with _listening(feed.ticks(instruments)) as ear:
            # Two come with the subscription; more, and the market has moved since the fault of another test.
            await ear.until(lambda: ear.count(Tick) >= 5)
            simulator.run_at(0.05)
            await ear.until(lambda: ear.count(FeedAlive) >= 1)
            ticks = ear.count(Tick)
            await ear.until(lambda: ear.count(FeedAlive) >= 3)
            assert ear.count(Tick) == ticks, "nothing has moved"

    try:
        asyncio.run(scene())
    finally:
        simulator.run_at(RATE)


@pytest.mark.parametrize(
    ("kind", "reason"), [("feed_garbage", "torn frame"), ("feed_truncated", "torn frame")]
)
def test_a_damaged_frame_is_told_and_the_feed_goes_on(
    simulator: Simulator, feed: KotakMarketFeed, instruments: Sequence[Instrument], kind: str, reason: str
) -> None:
    gaps, _ = _prices(simulator, feed, instruments, {"kind": kind, "endpoint": "apifeed", "count": 1})

    assert gaps == [reason]


def test_a_feed_that_brings_torn_frames_only_is_told_and_built_anew(
    simulator: Simulator, hasty: KotakMarketFeed, instruments: Sequence[Instrument]
) -> None:
    async def scene() -> list[str]:
        async with _listening(hasty.ticks(instruments[:1])) as ear:
            await ear.until(lambda: ear.count(Tick) >= 2)
            simulator.post("faults", {"faults": [{"kind": "feed_truncated", "endpoint": "apifeed"}]})
            await ear.until(lambda: any(reason.startswith("lost") for reason in ear.gaps()))
            return ear.gaps()

    gaps = asyncio.run(scene())
    assert "torn frame" in gaps
    assert "lost: no tick for 2 s" in gaps


def test_doubled_and_reordered_pictures_never_turn_time_back(
    simulator: Simulator, feed: KotakMarketFeed, instruments: Sequence[Instrument]
) -> None:
    async def scene() -> list[Tick]:
        async with _listening(feed.ticks(instruments)) as ear:
            await ear.until(lambda: ear.count(Tick) >= 2)
            rules = [
                {"kind": "feed_duplicate", "endpoint": "apifeed", "rate": 0.5},
                {"kind": "feed_reorder", "endpoint": "apifeed", "rate": 0.5},
            ]
            simulator.post("faults", {"faults": rules})
            await ear.until(lambda: ear.count(Tick) >= 20)
            return [item for item in ear.items if isinstance(item, Tick)]

    ticks = asyncio.run(scene())
    for instrument in instruments:
        times = [tick.ts_event for tick in ticks if tick.instrument_id == instrument.instrument_id]
        assert times == sorted(times)
        assert max(times) - min(times) >= timedelta(seconds=3)


@pytest.mark.parametrize("kind", ["feed_mute", "outage"])
def test_a_price_feed_that_does_not_open_is_tried_again(
    simulator: Simulator, hasty: KotakMarketFeed, instruments: Sequence[Instrument], kind: str
) -> None:
    async def scene() -> list[str]:
        simulator.post("faults", {"faults": [{"kind": kind, "endpoint": "apifeed"}]})
        async with _listening(hasty.ticks(instruments)) as ear:
            await ear.until(ear.gaps)
            simulator.post("faults", {"faults": []})
            await ear.until(lambda: ear.count(Tick))
            return ear.gaps()

    assert asyncio.run(scene())[0].startswith("lost: ")


def test_a_price_feed_that_says_no_asks_for_another_session(
    simulator: Simulator, feed: KotakMarketFeed, instruments: Sequence[Instrument]
) -> None:
    simulator.post("faults", {"faults": [{"kind": "feed_refused", "endpoint": "apifeed"}]})

    with pytest.raises(SessionExpiredError):
        asyncio.run(anext(feed.ticks(instruments)))  # type: ignore[arg-type]  # an async generator's is a coroutine


def test_a_missing_acknowledgement_delays_prices_and_loses_none(
    simulator: Simulator, house: BrokerAdapter, session: BrokerSession, instruments: Sequence[Instrument]
) -> None:
    async def scene() -> Ear:
        simulator.post("faults", {"faults": [{"kind": "ack_missing", "endpoint": "apifeed"}]})
        async with _listening(house.market_feed(session).ticks(instruments[:1])) as ear:
            await ear.until(lambda: ear.count(Tick))
        return ear

    assert not asyncio.run(scene()).gaps()
    simulator.post("faults", {"faults": []})


def _buy(instrument: Instrument, tag: str) -> OrderRequest:
    return request_for(
        client_order_id=tag,
        instrument=instrument,
        order_type="LIMIT",
        quantity=instrument.lot_size,
        price=instrument.tick_size,
        trigger_price=None,
    )


def _news(
    simulator: Simulator, gateway: BrokerGateway, instrument: Instrument, rule: Rule, enough: str
) -> list[object]:
    """Connect, inject, place one order, and return the events once a gap with this start came."""

    async def scene() -> Ear:
        async with _listening(gateway.account_events()) as ear:
            await ear.until(lambda: ear.gaps() == ["connected"])
            simulator.post("faults", {"faults": [rule]})
            request = _buy(instrument, f"n_{str(rule['kind'])[:12]}")
            await asyncio.to_thread(gateway.submit_order, request, timeout_s=5.0)
            await ear.until(lambda: any(reason.startswith(enough) for reason in ear.gaps()))
            await ear.until(lambda: ear.count(OrderReport))
        return ear

    return asyncio.run(scene()).items


@pytest.mark.parametrize("kind", ["feed_garbage", "feed_truncated"])
def test_a_damaged_update_is_told_and_the_stream_goes_on(
    simulator: Simulator, gateway: BrokerGateway, instruments: Sequence[Instrument], kind: str
) -> None:
    rule: Rule = {"kind": kind, "endpoint": "realtime", "count": 1}
    events = _news(simulator, gateway, instruments[1], rule, "unreadable update")

    assert [e.reason for e in events if isinstance(e, Gap)].count("connected") == 1


def test_doubled_late_and_lost_updates_are_told_apart_by_their_version(
    simulator: Simulator, gateway: BrokerGateway, instruments: Sequence[Instrument]
) -> None:
    async def scene() -> Ear:
        async with _listening(gateway.account_events()) as ear:
            await ear.until(lambda: ear.gaps() == ["connected"])
            kinds = ("feed_duplicate", "feed_reorder", "feed_lost")
            rules = [{"kind": kind, "endpoint": "realtime", "rate": 0.4} for kind in kinds]
            simulator.post("faults", {"faults": rules})
            for n in range(4):
                request = _buy(instruments[1], f"many_{n}")
                await asyncio.to_thread(gateway.submit_order, request, timeout_s=5.0)
            await ear.until(lambda: ear.count(OrderReport) >= 4)
        return ear

    reports = [item for item in asyncio.run(scene()).items if isinstance(item, OrderReport)]
    for report in reports:
        same = [
            r for r in reports if (r.broker_order_id, r.version) == (report.broker_order_id, report.version)
        ]
        assert all(r == report for r in same)


def test_an_idle_stream_that_is_cut_comes_back(simulator: Simulator, gateway: BrokerGateway) -> None:
    async def scene() -> list[str]:
        async with _listening(gateway.account_events()) as ear:
            await ear.until(lambda: ear.gaps() == ["connected"])
            simulator.post("faults", {"faults": [{"kind": "feed_cut"}]})
            await ear.until(lambda: ear.gaps().count("connected") == 2)
            return ear.gaps()

    assert [reason.partition(":")[0] for reason in asyncio.run(scene())] == ["connected", "lost", "connected"]


@pytest.mark.parametrize("kind", ["feed_mute", "outage"])
def test_a_stream_that_does_not_open_is_tried_again(
    simulator: Simulator, gateway: BrokerGateway, kind: str
) -> None:
    async def scene() -> list[str]:
        simulator.post("faults", {"faults": [{"kind": kind, "endpoint": "realtime", "count": 1}]})
        async with _listening(gateway.account_events()) as ear:
            await ear.until(lambda: "connected" in ear.gaps())
            return ear.gaps()

    assert [reason.partition(":")[0] for reason in asyncio.run(scene())] == ["lost", "connected"]


def test_a_stream_that_says_no_ends_and_asks_for_a_login(
    simulator: Simulator, gateway: BrokerGateway
) -> None:
    async def scene() -> list[object]:
        simulator.post("faults", {"faults": [{"kind": "feed_refused", "endpoint": "realtime"}]})
        async with _listening(gateway.account_events()) as ear:
            await ear.until(lambda: ear.count(StreamDown))
            return ear.items

    assert asyncio.run(scene()) == [StreamDown(reason="Authentication Failed", is_session_dead=True)]
