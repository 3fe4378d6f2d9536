"""Ranges by the clock take the bars of their hours on the day of the newest bar, in summer and winter."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from app.domain.bars import merge_bars
from app.domain.errors import InvalidInputError
from app.domain.market_data import FIFTEEN_MINUTES, FIVE_MINUTES, ONE_MINUTE, Bar, BarSpec
from strategies.indicators import compute, parse
from tests.unit.strategies.real_days import euro_day

DAY = euro_day(date(2014, 5, 6))
MINUTES = [minute.bar for minute in DAY.minutes]
ASIA = ["range_high:0000-0700@Europe/London", "range_low:0000-0700@Europe/London"]
BREAKS = "range_breaks:0000-0700@Europe/London"
SINCE = ["since_high:0700@Europe/London", "since_low:0700@Europe/London"]


def at(hour: int, minute: int = 0) -> datetime:
    """Return a moment of 6 May 2014 in UTC, an hour behind London."""
    return datetime(2014, 5, 6, hour, minute, tzinfo=UTC)


def until(moment: datetime, spec: BarSpec = FIFTEEN_MINUTES) -> Sequence[Bar]:
    """Return the bars that have closed by a moment."""
    return merge_bars((bar for bar in MINUTES if bar.end <= moment), spec, DAY.session)


def inside() -> list[Bar]:
    return [bar for bar in MINUTES if at(0) - timedelta(hours=1) <= bar.start < at(6)]


@pytest.mark.parametrize("spec", [ONE_MINUTE, FIVE_MINUTES, FIFTEEN_MINUTES], ids=str)
def test_the_range_is_the_extremes_of_its_hours_and_known_when_they_are_over(spec: BarSpec) -> None:
    expected = [max(bar.high for bar in inside()), min(bar.low for bar in inside())]

    for moment in (at(6), at(9), at(20, 45)):
        assert list(compute(ASIA, until(moment, spec), DAY.session.open_at).values()) == expected
    before = until(at(6) - spec.length, spec)
    assert set(compute([*ASIA, BREAKS], before, DAY.session.open_at).values()) == {None}


def test_bars_of_an_hour_cannot_tell_the_range() -> None:
    with pytest.raises(InvalidInputError, match="bars up to 15m"):
        compute(ASIA, until(at(9), BarSpec(minutes=60)), DAY.session.open_at)


def test_quiet_minutes_are_no_hole_but_a_quiet_quarter_is() -> None:
    quiet = [bar for bar in MINUTES if bar.end <= at(9) and not at(2) <= bar.start < at(2, 14)]
    dead = [bar for bar in MINUTES if bar.end <= at(9) and not at(2) <= bar.start < at(2, 15)]
    late = [bar for bar in MINUTES if at(0, 15) <= bar.start and bar.end <= at(9)]

    assert None not in compute(ASIA, quiet, DAY.session.open_at).values()
    assert set(compute([*ASIA, BREAKS], dead, DAY.session.open_at).values()) == {None}
    assert set(compute(ASIA, late, DAY.session.open_at).values()) == {None}


def test_a_bar_that_reaches_beyond_the_window_spoils_it() -> None:
    shifted = merge_bars((bar for bar in MINUTES if bar.end <= at(9)), BarSpec(minutes=11), DAY.session)

    assert set(compute(ASIA, shifted, DAY.session.open_at).values()) == {None}


def test_breaks_count_the_closes_outside_the_range_after_it() -> None:
    high, low = max(bar.high for bar in inside()), min(bar.low for bar in inside())
    outside = 0
    for bar in until(at(12)):
        if bar.start >= at(6):
            outside += not low <= bar.close <= high
            found = compute([BREAKS], until(bar.end), DAY.session.open_at)
            assert found == {BREAKS: Decimal(outside)}
    assert outside > 2


def test_extremes_since_a_moment_begin_with_its_bar() -> None:
    assert set(compute(SINCE, until(at(6), ONE_MINUTE), DAY.session.open_at).values()) == {None}
    bars = until(at(8, 17), ONE_MINUTE)
    after = [bar for bar in bars if bar.start >= at(6)]

    found = compute(SINCE, bars, DAY.session.open_at)

    assert list(found.values()) == [max(bar.high for bar in after), min(bar.low for bar in after)]


def test_the_date_is_that_of_the_clock_in_its_zone() -> None:
    names = ["since_high:0000@Europe/London", "since_low:0000@Europe/London"]
    midnight = at(0) - timedelta(hours=1)  # in London
    bars = until(at(0), ONE_MINUTE)
    after = [bar for bar in bars if bar.start >= midnight]

    found = compute(names, bars, DAY.session.open_at)

    assert list(found.values()) == [max(bar.high for bar in after), min(bar.low for bar in after)]
    assert max(bar.high for bar in bars) > max(bar.high for bar in after)


def test_the_evening_before_is_another_day() -> None:
    evening = until(datetime(2014, 5, 5, 22, 45, tzinfo=UTC))

    assert set(compute([*ASIA, BREAKS], evening, DAY.session.open_at).values()) == {None}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("range_high:0700-0000@Europe/London", "begin before an end"),
        ("range_high:0000-0705@Europe/London", "both quarter hours"),
        ("range_high:0000-2400@Europe/London", "clock time"),
        ("range_high:0000@Europe/London", "clock time"),
        ("range_high:0000-0700@Europe/Nowhere", "time zone"),
        ("range_high:0000-0700@Europe", "time zone"),
        ("range_high:0000-0700@../passwd", "time zone"),
        ("range_high:0000-0700", "time zone"),
        ("since_low:7@UTC", "clock time"),
        ("since_low:0700-0800@UTC", "clock time"),
        ("range_width:0000-0700@UTC", "expected one of"),
    ],
)
def test_refuses_a_name_that_it_cannot_read(name: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        parse(name)
