"""Instruments and prices come as our own words, and interruptions are told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta

import pytest

from app.domain.accounts import BrokerCode
from app.domain.errors import InvalidInputError
from app.domain.instruments import Instrument, InstrumentKind
from app.domain.market_data import Tick
from app.domain.ports import BrokerAdapter, BrokerSession, QuoteSource
from app.domain.reports import FeedAlive, Gap
from tests.contract.binance.desk import MARKETS, DayClock, Simulator
from tests.waiting import eventually


@pytest.fixture
def session(simulator: Simulator, house: BrokerAdapter) -> BrokerSession:
    """Any account's session."""
    _, credentials = simulator.new_account()
    return house.login(credentials, egress=simulator.new_address(), timeout_s=10)


@pytest.fixture
def instruments(house: BrokerAdapter, session: BrokerSession, clock: DayClock) -> Sequence[Instrument]:
    """What trades today."""
    return house.request_instruments(session, clock.now().date())


def test_instruments_say_how_they_trade(instruments: Sequence[Instrument], code: BrokerCode) -> None:
    (found,) = instruments
    is_spot = code is BrokerCode.BINANCE_SPOT

    assert found.instrument_id == ("BTCUSDT.BINANCE" if is_spot else "BTCUSDT-PERP.BINANCE")
    assert found.kind is (InstrumentKind.SPOT if is_spot else InstrumentKind.PERPETUAL)
    assert (found.segment, found.currency) == ("spot" if is_spot else "um_futures", "USDT")
    assert found.min_notional == (5 if is_spot else 100)


def test_a_quote_is_the_top_of_the_book(
    house: BrokerAdapter, session: BrokerSession, instruments: Sequence[Instrument]
) -> None:
    gateway = house.restore(session)
    try:
        assert isinstance(gateway, QuoteSource)
        tick = gateway.request_quote(instruments[0], timeout_s=5.0)
    finally:
        gateway.close()

    assert tick is not None
    assert tick.bid is not None
    assert tick.ask is not None
    assert tick.bid < tick.last < tick.ask
    assert tick.instrument_id == instruments[0].instrument_id


def test_ticks_carry_exact_prices_in_order(
    simulator: Simulator,
    house: BrokerAdapter,
    session: BrokerSession,
    instruments: Sequence[Instrument],
    clock: DayClock,
) -> None:
    async def listen() -> list[Tick | Gap]:
        return await _seen(house, session, instruments, simulator, until=lambda seen: len(seen) >= 3)

    ticks = [item for item in asyncio.run(listen()) if isinstance(item, Tick)]

    assert len(ticks) >= 3
    for tick in ticks:
        assert tick.instrument_id == instruments[0].instrument_id
        assert tick.last % instruments[0].tick_size == 0
        assert tick.ts_event <= clock.now() + timedelta(seconds=1)
    assert ticks[-1].bid is not None
    assert ticks[-1].ask is not None
    assert ticks[-1].bid < ticks[-1].ask
    assert [tick.sequence for tick in ticks] == sorted({tick.sequence for tick in ticks})
    assert [tick.ts_event for tick in ticks] == sorted(tick.ts_event for tick in ticks)


def test_a_market_that_rests_tells_that_its_feed_lives(
    simulator: Simulator, house: BrokerAdapter, session: BrokerSession, instruments: Sequence[Instrument]
) -> None:
    """A stop that we watch counts while the feed lives, however long the price stands."""

    async def listen() -> None:
        ticks = house.market_feed(session).ticks(instruments)
        enough = asyncio.Event()
        market = asyncio.ensure_future(_go_on(simulator, enough))
        alive = 0
        try:
            async with asyncio.timeout(40):
                async for item in ticks:
                    enough.set()  # from now on the market stands for fifteen seconds
                    alive += isinstance(item, FeedAlive)
                    if alive == 2:
                        break
        finally:
            enough.set()
            await market
            await _close(ticks)

    asyncio.run(listen())


@pytest.mark.parametrize("kind", ["feed_drop", "feed_close", "feed_garbage"])
def test_a_lost_feed_tells_a_gap_before_and_after(
    simulator: Simulator,
    house: BrokerAdapter,
    session: BrokerSession,
    instruments: Sequence[Instrument],
    kind: str,
) -> None:
    def is_back(seen: Sequence[Tick | Gap]) -> bool:
        return Gap(reason="connected again") in seen and isinstance(seen[-1], Tick)

    async def listen() -> list[Tick | Gap]:
        return await _seen(house, session, instruments, simulator, until=is_back, fault=kind)

    gaps = [item.reason for item in asyncio.run(listen()) if isinstance(item, Gap)]

    assert gaps[0].startswith("lost")
    assert gaps[-1] == "connected again"


def test_a_flood_is_drained_without_a_loss(
    simulator: Simulator, house: BrokerAdapter, session: BrokerSession, instruments: Sequence[Instrument]
) -> None:
    async def listen() -> list[Tick | Gap]:
        return await _seen(
            house, session, instruments, simulator, until=lambda seen: len(seen) > 400, fault="feed_flood"
        )

    assert not any(isinstance(item, Gap) for item in asyncio.run(listen()))


def test_the_same_instrument_twice_is_refused(
    house: BrokerAdapter, session: BrokerSession, instruments: Sequence[Instrument]
) -> None:
    async def listen() -> object:
        return await anext(aiter(house.market_feed(session).ticks([*instruments, *instruments])))

    with pytest.raises(InvalidInputError):
        asyncio.run(listen())


async def _seen(
    house: BrokerAdapter,
    session: BrokerSession,
    instruments: Sequence[Instrument],
    simulator: Simulator,
    *,
    until: Callable[[Sequence[Tick | Gap]], bool],
    fault: str = "",
) -> list[Tick | Gap]:
    """Collect what the feed brings while the market goes on; the fault strikes after the first tick."""
    # A feed of an earlier test, whose end the venue has not noticed yet, would take the fault.
    await asyncio.to_thread(eventually, lambda: simulator.count("market_feeds") == 0)
    seen: list[Tick | Gap] = []
    ticks = house.market_feed(session).ticks(instruments)
    enough = asyncio.Event()
    market = asyncio.ensure_future(_go_on(simulator, enough))
    try:
        async with asyncio.timeout(40):
            async for item in ticks:
                if isinstance(item, FeedAlive):
                    continue  # on a slow machine the market rests between two steps
                seen.append(item)
                if len(seen) == 1 and fault:
                    rule = {"kind": fault, "endpoint": f"{MARKETS[house.code]}.market", "count": 1}
                    await asyncio.to_thread(simulator.post, "faults", {"faults": [rule]})
                if until(seen):
                    break
    finally:
        enough.set()
        await market
        await _close(ticks)
    return seen


async def _go_on(simulator: Simulator, enough: asyncio.Event) -> None:
    while not enough.is_set():
        await asyncio.to_thread(simulator.pass_time, timedelta(seconds=15))
        # Faster, and the day of the simulator would be over before a feed has come back.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(enough.wait(), 0.2)


async def _close(ticks: AsyncIterator[object]) -> None:
    await ticks.aclose()  # type: ignore[attr-defined]  # it is an async generator
