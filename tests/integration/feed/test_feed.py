"""The feed brings prices in once, in order, and survives what happens around it."""

import asyncio
import time
from collections.abc import Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from app.domain.errors import SessionExpiredError
from app.domain.market_data import ONE_MINUTE, Bar, BarSpec, IndicatorBar
from app.domain.numbers import ZERO
from app.domain.reports import FeedAlive, Gap
from app.infra.engines.engines import restart_valkey
from app.infra.market_codec import encode_bar
from app.infra.marks import read_marks
from tests.integration.feed.desk import CALL, SESSION, Desk, at
from tests.nifty_day import DAY, NIFTY, index

pytestmark = pytest.mark.integration


def run(coroutine: "Coroutine[None, None, None]") -> None:
    asyncio.run(coroutine)


def publish_bar(desk: Desk, minutes: int, start_minute: int) -> None:
    """Answer as the indicator task would."""
    price = Decimal(1)
    bar = Bar(
        instrument_id=NIFTY,
        spec=BarSpec(minutes=minutes),
        start=at(start_minute),
        open=price,
        high=price,
        low=price,
        close=price,
        volume=ZERO,
    )
    desk.valkey.xadd("bars:NSE", cast("Any", encode_bar(IndicatorBar(bar=bar, values=()))))


def need(desk: Desk, *members: str) -> None:
    desk.valkey.sadd(f"needs:NSE:{DAY}", *members)


def test_publishes_the_ticks_of_one_instant_as_one_round_with_marks_and_state(desk: Desk) -> None:
    async def scenario() -> None:
        desk.start()
        await desk.send_and_wait(at(0), "10868.70")
        await desk.finish()

    run(scenario())

    (published,) = desk.rounds()
    assert published["ts"] == SESSION.open_at.isoformat()
    assert [row[0] for row in published["t"]] == [NIFTY, CALL.instrument_id]  # type: ignore[attr-defined]
    assert read_marks(desk.valkey, [NIFTY])[NIFTY].last == Decimal("10868.70")
    assert desk.state()["status"] == "live"
    assert desk.state()["pending"] == "0"


def test_a_newer_instant_closes_the_round_before_it(desk: Desk) -> None:
    async def scenario() -> None:
        desk.start()
        for minute in (0, 0.25, 0.5):
            await desk.send(at(minute), "10868.70")
        await desk.until(lambda: len(desk.rounds()) == 3)
        await desk.finish()

    run(scenario())

    assert [len(r["t"]) for r in desk.rounds()] == [2, 2, 2]  # type: ignore[arg-type]
    assert [r["n"] for r in desk.rounds()] == [1, 2, 3]


def test_a_machine_that_stops_amid_a_frame_splits_no_round(desk: Desk) -> None:
    async def turns() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def scenario() -> None:
        desk.start()
        await desk.send(at(0), "10868.70", instruments=[index()])
        await turns()  # the index waits in the open round
        time.sleep(0.05)  # noqa: ASYNC251  the whole process stands still
        await turns()  # as many turns as a socket's frame needs on its way
        await desk.send(at(0), "99.85", instruments=[CALL])
        await desk.until(desk.rounds)
        await desk.finish()

    run(scenario())

    assert [len(r["t"]) for r in desk.rounds()] == [2]  # type: ignore[arg-type]


def test_stores_bars_when_they_close_and_asks_for_needed_indicators_only(desk: Desk) -> None:
    need(desk, "NIFTY.NSE|1|atr:2", "NIFTY.NSE|1|atr:3")

    async def scenario() -> None:
        desk.start()
        for minute, spot in ((0, "10861"), (0.25, "10864"), (0.5, "10840"), (0.75, "10843")):
            await desk.send_and_wait(at(minute), spot)
        assert desk.bars(1) == []
        await desk.send(at(1), "10842")
        await desk.until(lambda: desk.asked)
        assert desk.state()["pending"] == "1"
        publish_bar(desk, 1, 0)
        await desk.until(lambda: desk.state()["pending"] == "0")
        await desk.finish()

    run(scenario())

    (bar,) = desk.bars(1)
    assert (bar.open, bar.high, bar.low, bar.close) == tuple(map(Decimal, (10861, 10864, 10840, 10843)))
    assert len(desk.bars(1, CALL.instrument_id)) == 1
    assert desk.bars(5) == []
    assert desk.asked == [(NIFTY, 1, at(0))]


def test_counts_a_waiting_bar_before_anybody_can_see_the_round_that_closed_it(desk: Desk) -> None:
    need(desk, "NIFTY.NSE|1|atr:2")

    async def scenario() -> None:
        desk.start()
        await desk.send_and_wait(at(0), "10861")
        await desk.send_and_wait(at(1), "10861")
        assert desk.state()["pending"] == "1"
        await desk.kill()

    run(scenario())


def test_asks_again_when_no_value_comes(desk: Desk) -> None:
    need(desk, "NIFTY.NSE|1|atr:2")

    async def scenario() -> None:
        desk.is_queue_down = True
        desk.start()
        await desk.send_and_wait(at(0), "10861")
        await desk.send_and_wait(at(1), "10861")
        await desk.until(lambda: len(desk.asked) == 1)
        desk.is_queue_down = False
        await desk.until(lambda: len(desk.asked) == 2)
        await desk.kill()

    run(scenario())

    assert set(desk.asked) == {(NIFTY, 1, at(0))}


def test_a_successor_rebuilds_the_open_bars_and_continues_the_numbers(desk: Desk) -> None:
    async def scenario() -> None:
        desk.start()
        await desk.send_and_wait(at(0), "10861")
        await desk.send_and_wait(at(0.25), "10890")
        await desk.send_and_wait(at(4.5), "10850")
        await desk.kill()
        desk.start()
        await desk.venue(2)
        await desk.send_and_wait(at(4.75), "10855")
        await desk.send_and_wait(at(5), "10856")
        await desk.finish()

    run(scenario())

    (five,) = desk.bars(5)
    assert (five.open, five.high, five.low, five.close) == tuple(map(Decimal, (10861, 10890, 10850, 10855)))
    assert [bar.start for bar in desk.bars(1)] == [at(0), at(4)]
    assert [r["n"] for r in desk.rounds()] == [1, 2, 3, 4, 5]


def test_a_successor_rebuilds_the_open_quarter_hour_from_its_beginning(desk: Desk) -> None:
    async def scenario() -> None:
        desk.start()
        for minute, price in ((0, "10861"), (2, "10890"), (7, "10820"), (14.5, "10850")):
            await desk.send_and_wait(at(minute), price)
        await desk.kill()
        desk.start()
        await desk.venue(2)
        await desk.send_and_wait(at(14.75), "10855")
        await desk.send_and_wait(at(15), "10856")
        await desk.finish()

    run(scenario())

    (quarter,) = desk.bars(15)
    prices = (quarter.open, quarter.high, quarter.low, quarter.close)
    assert (quarter.start, prices) == (at(0), tuple(map(Decimal, (10861, 10890, 10820, 10855))))


def test_a_successor_stores_the_quarter_hour_that_its_predecessor_did_not(desk: Desk) -> None:
    need(desk, "NIFTY.NSE|15|atr:2")

    async def scenario() -> None:
        desk.start()
        for minute in (0, 7, 15):
            await desk.send_and_wait(at(minute), "10861")
        await desk.kill()
        desk.asked.clear()
        with desk.database.begin() as session:
            for bar in desk.bars(15):
                session.delete(session.merge(bar))
        desk.start()
        await desk.until(lambda: desk.asked)
        publish_bar(desk, 15, 0)
        await desk.until(lambda: desk.state()["pending"] == "0")
        await desk.finish()

    run(scenario())

    assert desk.asked == [(NIFTY, 15, at(0))]
    assert [bar.start for bar in desk.bars(15)] == [at(0)]


def test_a_successor_stores_the_bar_that_its_predecessor_did_not(desk: Desk) -> None:
    need(desk, "NIFTY.NSE|1|atr:2")

    async def scenario() -> None:
        desk.start()
        await desk.send_and_wait(at(0), "10861")
        await desk.send_and_wait(at(1), "10862")
        await desk.kill()
        desk.asked.clear()
        with desk.database.begin() as session:
            for bar in desk.bars(1) + desk.bars(1, CALL.instrument_id):
                session.delete(session.merge(bar))
        desk.start()
        await desk.until(lambda: desk.asked)
        assert desk.state()["pending"] == "1"
        publish_bar(desk, 1, 0)
        await desk.until(lambda: desk.state()["pending"] == "0")
        await desk.finish()

    run(scenario())

    assert [bar.start for bar in desk.bars(1)] == [at(0)]


def test_another_account_takes_over_when_a_session_is_refused(desk: Desk) -> None:
    async def scenario() -> None:
        desk.start()
        await desk.send_and_wait(at(0), "10861")
        (await desk.venue()).items.put_nowait(SessionExpiredError("refused"))
        await desk.venue(2)
        await desk.send_and_wait(at(0.25), "10862")
        await desk.finish()

    run(scenario())

    assert [r.get("gap") for r in desk.rounds()] == [None, "refused", None]
    assert desk.state()["status"] == "live"


def test_marks_a_gap_of_the_venue_between_the_rounds(desk: Desk) -> None:
    async def scenario() -> None:
        desk.start()
        await desk.send(at(0), "10861", instruments=[index()])
        (await desk.venue()).items.put_nowait(Gap(reason="lost"))
        await desk.until(lambda: len(desk.rounds()) == 2)
        # The state is written after the round, in a step of its own.
        await desk.until(lambda: desk.state()["status"] == "gap")
        await desk.finish()

    run(scenario())

    assert [r.get("gap") for r in desk.rounds()] == [None, "lost"]


def test_a_market_that_rests_does_not_make_its_feed_look_dead(desk: Desk) -> None:
    async def scenario() -> None:
        desk.start()
        await desk.send_and_wait(at(0), "10861")
        told = desk.state()["last_wall"]
        (await desk.venue()).items.put_nowait(FeedAlive())
        await desk.until(lambda: desk.state()["last_wall"] > told)
        await desk.finish()

    run(scenario())

    assert len(desk.rounds()) == 1, "no price has changed"


def test_rounds_wait_in_order_while_valkey_is_away(desk: Desk, engines_home: Path) -> None:
    async def scenario() -> None:
        desk.start()
        await desk.send_and_wait(at(0), "10861")
        restart = asyncio.create_task(asyncio.to_thread(restart_valkey, engines_home))
        for quarter in range(1, 13):
            await desk.send(at(quarter / 4), "10862")
            await asyncio.sleep(0.02)
        await restart
        await desk.until(lambda: desk.state().get("last_ts") == at(3).isoformat())
        await desk.finish()

    run(scenario())

    instants = [published["ts"] for published in desk.rounds()]
    assert list(dict.fromkeys(instants)) == [at(quarter / 4).isoformat() for quarter in range(13)]
    assert instants == sorted(instants)  # type: ignore[type-var]
    assert [bar.start for bar in desk.bars(1)] == [at(0), at(1), at(2)]


def test_closes_the_last_bar_when_the_session_is_over_and_ends(desk: Desk) -> None:
    async def scenario() -> None:
        desk.clock.at = at(374)
        desk.start()
        await desk.send_and_wait(at(374.5), "10790")
        desk.clock.at = at(376)
        assert desk.feed is not None
        await desk.feed

    run(scenario())

    assert [bar.start for bar in desk.bars(1)] == [at(374)]
    assert [bar.start for bar in desk.bars(5)] == [at(370)]


def test_prints_outside_the_session_are_published_but_make_no_bar(desk: Desk) -> None:
    async def scenario() -> None:
        desk.clock.at = at(-8)
        desk.start()
        await desk.send_and_wait(at(-8), "10868.85")
        await desk.send_and_wait(at(0), "10861")
        await desk.send_and_wait(at(1), "10862")
        await desk.until(lambda: desk.bars(1))
        await desk.finish()

    run(scenario())

    assert [(bar.start, bar.open) for bar in desk.bars(1)] == [(at(0), Decimal(10861))]
    assert ONE_MINUTE.minutes == 1
