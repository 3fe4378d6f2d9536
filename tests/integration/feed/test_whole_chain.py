"""From the venue's ticks to recorded signals: feed, indicators and loops on a real morning."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import cast

import pytest
from sqlalchemy import select

from app.db.models import SignalRow
from app.domain.instruments import Venue
from app.infra.names import LOOP_CURSOR_KEY
from app.infra.streams import last_entry_id
from app.services.indicators import Indicators
from strategies.indicators import compute
from tests.integration.feed.desk import SESSION, Desk, at
from tests.integration.loops.stage import INSTRUMENTS, RUN, Stage
from tests.nifty_day import DAY, minutes_of, path_of

pytestmark = pytest.mark.integration
MORNING = 67  # minutes: the breakout of this day comes at 10:20


@pytest.fixture
def stage(desk: Desk) -> Iterator[Stage]:
    stage = Stage(desk.database, desk.valkey)
    yield stage
    stage.stop()


async def drive(desk: Desk, *, killed_at: int | None = None) -> None:
    """Replay the morning as the demo does: the next instant comes when nothing is in flight."""
    desk.start()
    for number, (instant, spot) in enumerate(path_of(minutes_of(DAY)[:MORNING])):
        if number == killed_at:
            await desk.kill()
            desk.start()
            await desk.venue(2)
        await desk.send(instant, spot)
        await desk.until(partial(is_settled, desk, instant.isoformat()))
    await desk.finish()


def is_settled(desk: Desk, instant: str) -> bool:
    state = desk.state()
    cursor = cast("dict[str, str]", desk.valkey.hgetall(LOOP_CURSOR_KEY.format(run=RUN)))
    return (
        state.get("last_ts") == instant
        and state["pending"] == "0"
        and cursor.get("ts") == instant
        and cursor["bars"] == last_entry_id(desk.valkey, "bars:NSE")
    )


@pytest.mark.parametrize("killed_at", [None, 61, 259])
def test_a_real_morning_is_decided_as_its_chart_says(desk: Desk, stage: Stage, killed_at: int | None) -> None:
    (breakout,), (straddle,) = stage.deploy("opening_range"), stage.deploy("short_straddle")
    indicators = Indicators(desk.database, desk.valkey, venue=Venue.NSE, compute=compute)
    desk.instruments = INSTRUMENTS
    desk.answer = lambda i, minutes, start: indicators.run(SESSION, i, minutes=minutes, start=start)
    stage.start()

    asyncio.run(drive(desk, killed_at=killed_at))

    with desk.database.begin() as session:
        rows = session.scalars(select(SignalRow).order_by(SignalRow.ts_event))
        decided = [(row.deployment_id, row.key, row.ts_event) for row in rows]
    assert decided == [
        (straddle, "2019-01-02:straddle:entry", at(5)),
        (breakout, "2019-01-02:orb:long", at(65)),
    ]
    assert [bar.start for bar in desk.bars(1)] == [at(minute) for minute in range(MORNING - 1)]
    assert [(bar.high, bar.low) for bar in desk.bars(1)] == [
        (bar.high, bar.low) for bar in minutes_of(DAY)[: MORNING - 1]
    ]
