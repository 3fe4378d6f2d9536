"""On the real NIFTY days strategies decide once, the same again, and never from the future."""

from datetime import date, timedelta

import pytest

from strategies.registry import load_registry
from tests.nifty_day import replay_day, session_of

REGISTRY = load_registry()
DAYS = [date(2019, 1, day) for day in (1, 2, 3, 4)]
# Read off the data by hand: direction, and the end of the five-minute bar (IST) that broke out.
BREAKOUTS = {1: ["short 10:00"], 2: ["long 10:20", "short 12:45"], 3: ["long 09:45", "short 11:20"]}


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("name", ["opening_range", "short_straddle"])
def test_a_day_cut_short_gives_the_same_signals_up_to_the_cut(name: str, day: date) -> None:
    strategy = REGISTRY.build(name, {})
    whole = replay_day(strategy, day)

    for minutes in (5, 45, 190):
        cut = session_of(day).open_at + timedelta(minutes=minutes)
        assert replay_day(strategy, day, cut=cut) == [found for found in whole if found[0] < cut]


@pytest.mark.parametrize("day", DAYS)
def test_the_straddle_is_sold_at_twenty_past_nine(day: date) -> None:
    wished = replay_day(REGISTRY.build("short_straddle", {}), day)

    assert [at - session_of(day).open_at for at, _ in wished] == [timedelta(minutes=5)]


@pytest.mark.parametrize("day", sorted(BREAKOUTS))
def test_breakouts_happen_where_the_chart_shows_them(day: int) -> None:
    wished = replay_day(REGISTRY.build("opening_range", {}), date(2019, 1, day))

    entries = [
        f"{signal.key.rsplit(':')[-1]} {at + timedelta(hours=5, minutes=30):%H:%M}"
        for at, signal in wished
        if signal.legs
    ]
    assert entries == BREAKOUTS[day]
