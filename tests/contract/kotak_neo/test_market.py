"""Contracts and prices come as our own words, and interruptions are told."""

import asyncio
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest

from app.domain.errors import InvalidInputError, UnavailableError
from app.domain.instruments import Instrument, InstrumentKind, OptionRight
from app.domain.market_data import Tick
from app.domain.ports import BrokerAdapter, BrokerSession, QuoteSource
from app.domain.reports import FeedAlive, Gap
from tests.contract.kotak_neo.desk import DayClock, Simulator

DAY = date(2019, 1, 2)


@pytest.fixture(scope="module")
def session(simulator: Simulator, house: BrokerAdapter) -> BrokerSession:
    """Any account's session."""
    return house.login(simulator.new_account(), egress="", timeout_s=10)


@pytest.fixture(scope="module")
def instruments(house: BrokerAdapter, session: BrokerSession) -> Sequence[Instrument]:
    """The day's contract master."""
    return house.request_instruments(session, DAY)


def test_contract_master_gives_index_and_options(instruments: Sequence[Instrument]) -> None:
    index, *options = instruments
    assert (index.kind, index.instrument_id) == (InstrumentKind.INDEX, "NIFTY.NSE")
    wanted = next(option for option in options if option.broker_symbol == "NIFTY1910310850PE")
    assert wanted.instrument_id == "NIFTY-20190103-10850-PE.NSE"
    assert wanted.option is not None
    assert (wanted.option.strike, wanted.option.right) == (Decimal(10850), OptionRight.PUT)
    assert wanted.option.expiry == date(2019, 1, 3)
    assert (wanted.tick_size, wanted.lot_size, wanted.freeze_qty) == (
        Decimal("0.05"),
        Decimal(65),
        Decimal(1800),
    )


def test_a_quote_is_exact_and_of_what_was_asked(
    house: BrokerAdapter, session: BrokerSession, instruments: Sequence[Instrument], simulator: Simulator
) -> None:
    option = next(i for i in instruments if i.broker_symbol == "NIFTY1910310850PE")
    gateway = house.restore(session)
    try:
        assert isinstance(gateway, QuoteSource)
        tick = gateway.request_quote(option, timeout_s=5.0)
        simulator.post("faults", {"faults": [{"kind": "outage", "rate": 1.0, "endpoint": "quotes"}]})
        with pytest.raises(UnavailableError):
            gateway.request_quote(option, timeout_s=5.0)
    finally:
        simulator.post("faults", {"faults": []})
        gateway.close()

    assert tick is not None
    assert tick.bid is not None
    assert tick.ask is not None
    assert tick.bid <= tick.ask
    assert tick.instrument_id == option.instrument_id
    assert tick.last % option.tick_size == 0


def test_a_contract_master_of_another_day_is_refused(house: BrokerAdapter, session: BrokerSession) -> None:
    with pytest.raises(UnavailableError, match="expected the file of 2019-01-03"):
        house.request_instruments(session, date(2019, 1, 3))


def test_ticks_carry_exact_prices_and_one_time_per_instant(
    house: BrokerAdapter, session: BrokerSession, instruments: Sequence[Instrument], clock: DayClock
) -> None:
    chosen = [instruments[0], *(i for i in instruments if i.broker_symbol == "NIFTY1910310850PE")]

    index, option = asyncio.run(_first(house, session, chosen, count=2))

    assert isinstance(index, Tick)
    assert isinstance(option, Tick)
    assert [index.instrument_id, option.instrument_id] == [item.instrument_id for item in chosen]
    assert index.bid is None
    assert option.bid is not None
    assert option.ask is not None
    assert option.bid < option.ask
    assert option.last % chosen[1].tick_size == 0
    assert index.ts_event == option.ts_event <= option.ts_init <= clock.now()
    assert option.sequence > index.sequence


def test_a_cut_feed_tells_a_gap_before_and_after(
    simulator: Simulator, house: BrokerAdapter, session: BrokerSession, instruments: Sequence[Instrument]
) -> None:
    simulator.post("windows", {"windows": [["2019-01-02T03:45:00+00:00", "2019-01-02T10:00:00+00:00"]]})
    simulator.post("faults", {"faults": [{"kind": "feed_drop", "endpoint": "apifeed", "count": 1}]})

    seen = asyncio.run(_first(house, session, instruments[:1], count=4))

    simulator.post("faults", {"faults": []})
    gaps = [item.reason for item in seen if isinstance(item, Gap)]
    assert gaps[0].startswith("lost")
    assert gaps[1] == "connected again"
    assert isinstance(seen[-1], Tick)


def test_the_same_instrument_twice_is_refused(
    house: BrokerAdapter, session: BrokerSession, instruments: Sequence[Instrument]
) -> None:
    with pytest.raises(InvalidInputError):
        asyncio.run(_first(house, session, [instruments[0], instruments[0]], count=1))


def test_more_instruments_than_a_connection_takes_are_refused(
    house: BrokerAdapter, session: BrokerSession, instruments: Sequence[Instrument]
) -> None:
    with pytest.raises(InvalidInputError, match="at most 3000"):
        asyncio.run(_first(house, session, [instruments[0]] * 3001, count=1))


async def _first(
    house: BrokerAdapter, session: BrokerSession, instruments: Sequence[Instrument], *, count: int
) -> list[Tick | Gap]:
    seen: list[Tick | Gap] = []
    ticks = house.market_feed(session).ticks(instruments)
    async with asyncio.timeout(40):
        async for item in ticks:
            if isinstance(item, FeedAlive):
                continue
            seen.append(item)
            if len(seen) == count:
                break
    await ticks.aclose()  # type: ignore[attr-defined]  # it is an async generator
    return seen
