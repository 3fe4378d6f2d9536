"""Check bars by example: labels, session borders, late ticks and quiet minutes."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from app.domain.bars import BarBuilder, bar_start, merge_bars
from app.domain.errors import InvariantError
from app.domain.ids import InstrumentId
from app.domain.market_data import FIFTEEN_MINUTES, FIVE_MINUTES, ONE_MINUTE, Bar, BarSpec, Tick
from tests.unit.domain.calendars import injected_session, ist

NIFTY = InstrumentId("NIFTY.NSE")
DAY = date(2026, 1, 12)
SESSION = injected_session(DAY, ist(DAY, 9, 15), ist(DAY, 15, 40))


def _tick(at: datetime, price: str, sequence: int = 1, instrument_id: InstrumentId = NIFTY) -> Tick:
    return Tick(
        instrument_id=instrument_id,
        last=Decimal(price),
        bid=None,
        ask=None,
        ts_event=at,
        ts_init=at,
        sequence=sequence,
    )


def _bar(start: datetime, prices: str, spec: BarSpec = ONE_MINUTE) -> Bar:
    opens, high, low, close = map(Decimal, prices.split())
    return Bar(
        instrument_id=NIFTY,
        spec=spec,
        start=start,
        open=opens,
        high=high,
        low=low,
        close=close,
        volume=Decimal(0),
    )


def _builder(spec: BarSpec = ONE_MINUTE) -> BarBuilder:
    return BarBuilder(NIFTY, spec, SESSION)


def test_bar_carries_its_start_and_closes_on_the_next_bars_first_tick() -> None:
    builder = _builder()
    for second, price in ((0, "100"), (20, "103"), (40, "99"), (59, "101")):
        assert builder.on_tick(_tick(ist(DAY, 9, 15, second), price)) is None
    assert builder.on_tick(_tick(ist(DAY, 9, 16), "102")) == _bar(ist(DAY, 9, 15), "100 103 99 101")


def test_quiet_market_closes_its_bar_by_time() -> None:
    builder = _builder()
    builder.on_tick(_tick(ist(DAY, 9, 15), "100"))
    assert builder.on_time(ist(DAY, 9, 15, 59)) is None
    assert builder.on_time(ist(DAY, 9, 16)) == _bar(ist(DAY, 9, 15), "100 100 100 100")
    assert builder.on_time(ist(DAY, 9, 16)) is None


def test_minute_without_ticks_has_no_bar() -> None:
    builder = _builder()
    builder.on_tick(_tick(ist(DAY, 9, 15), "100"))
    assert builder.on_tick(_tick(ist(DAY, 9, 18), "101")) == _bar(ist(DAY, 9, 15), "100 100 100 100")
    assert builder.on_time(ist(DAY, 9, 19)) == _bar(ist(DAY, 9, 18), "101 101 101 101")


@pytest.mark.parametrize("at", [(9, 7), (15, 40), (15, 41)])
def test_print_outside_the_session_is_dropped_and_counted(at: tuple[int, int]) -> None:
    builder = _builder()
    assert builder.on_tick(_tick(ist(DAY, *at), "1")) is None
    assert (builder.outside_count, builder.late_count) == (1, 0)
    assert builder.on_time(SESSION.close_at) is None


def test_late_tick_is_counted_and_not_applied() -> None:
    builder = _builder()
    builder.on_tick(_tick(ist(DAY, 9, 15), "100"))
    builder.on_time(ist(DAY, 9, 16))
    assert builder.on_tick(_tick(ist(DAY, 9, 15, 59), "500")) is None
    assert builder.late_count == 1
    builder.on_tick(_tick(ist(DAY, 9, 16, 1), "101"))
    assert builder.on_time(ist(DAY, 9, 17)) == _bar(ist(DAY, 9, 16), "101 101 101 101")


def test_tick_for_a_quiet_minute_that_is_over_is_late_too() -> None:
    builder = _builder()
    builder.on_time(ist(DAY, 9, 17))
    builder.on_tick(_tick(ist(DAY, 9, 16, 59), "100"))
    assert builder.late_count == 1
    assert builder.on_time(SESSION.close_at) is None


def test_ticks_out_of_order_inside_the_open_bar_are_sorted_by_the_venues_time() -> None:
    builder = _builder()
    builder.on_tick(_tick(ist(DAY, 9, 15, 30), "102", 2))
    builder.on_tick(_tick(ist(DAY, 9, 15, 5), "100", 1))
    assert builder.on_time(ist(DAY, 9, 16)) == _bar(ist(DAY, 9, 15), "100 102 100 102")


def test_sequence_orders_ticks_of_one_instant() -> None:
    builder = _builder()
    for sequence, price in ((2, "101"), (3, "99"), (1, "100")):
        builder.on_tick(_tick(ist(DAY, 9, 15), price, sequence))
    assert builder.on_time(ist(DAY, 9, 16)) == _bar(ist(DAY, 9, 15), "100 101 99 99")


def test_time_going_backwards_reopens_nothing() -> None:
    builder = _builder()
    builder.on_time(ist(DAY, 9, 20))
    assert builder.on_time(ist(DAY, 9, 10)) is None
    builder.on_tick(_tick(ist(DAY, 9, 19), "100"))
    assert builder.late_count == 1


def test_session_close_ends_the_last_bar_even_when_it_is_short() -> None:
    builder = _builder(BarSpec(minutes=60))
    builder.on_tick(_tick(ist(DAY, 15, 39, 59), "100"))
    assert builder.on_time(ist(DAY, 15, 39, 59)) is None
    closed = builder.on_time(SESSION.close_at)
    assert closed is not None
    assert closed.start == ist(DAY, 15, 15)


def test_longer_bars_count_from_the_open() -> None:
    assert bar_start(ist(DAY, 9, 59, 59), BarSpec(minutes=30), SESSION) == ist(DAY, 9, 45)
    assert bar_start(ist(DAY, 10, 15), BarSpec(minutes=30), SESSION) == ist(DAY, 10, 15)


def test_tick_of_another_instrument_is_a_bug() -> None:
    with pytest.raises(InvariantError, match=r"expected ticks of NIFTY\.NSE, got SENSEX\.BSE"):
        _builder().on_tick(_tick(ist(DAY, 9, 15), "1", instrument_id=InstrumentId("SENSEX.BSE")))


def test_merging_keeps_the_extremes_and_the_grid() -> None:
    minutes = [
        _bar(ist(DAY, 9, 7), "1 1 1 1"),
        _bar(ist(DAY, 9, 15), "100 103 99 101"),
        _bar(ist(DAY, 9, 19), "101 102 98 102"),
        _bar(ist(DAY, 9, 20), "102 110 102 105"),
        _bar(SESSION.close_at, "1 1 1 1"),
    ]
    assert merge_bars(minutes, FIVE_MINUTES, SESSION) == (
        _bar(ist(DAY, 9, 15), "100 103 98 102", FIVE_MINUTES),
        _bar(ist(DAY, 9, 20), "102 110 102 105", FIVE_MINUTES),
    )


def test_merging_adds_volume() -> None:
    start = ist(DAY, 9, 15)
    minutes = [
        Bar(
            instrument_id=NIFTY,
            spec=ONE_MINUTE,
            start=start + timedelta(minutes=offset),
            open=Decimal(1),
            high=Decimal(1),
            low=Decimal(1),
            close=Decimal(1),
            volume=Decimal(offset + 1),
        )
        for offset in range(3)
    ]
    assert [bar.volume for bar in merge_bars(minutes, FIVE_MINUTES, SESSION)] == [Decimal(6)]


@pytest.mark.parametrize(
    ("hour", "minute", "spec", "start"),
    [
        (9, 29, FIFTEEN_MINUTES, (9, 15)),
        (9, 30, FIFTEEN_MINUTES, (9, 30)),
        (17, 5, FIFTEEN_MINUTES, (17, 5)),
        (17, 14, FIFTEEN_MINUTES, (17, 5)),
        (17, 15, FIFTEEN_MINUTES, (17, 15)),
        (17, 29, FIFTEEN_MINUTES, (17, 15)),
        (17, 59, BarSpec(minutes=60), (17, 5)),
        (18, 0, BarSpec(minutes=60), (18, 0)),
        (17, 14, FIVE_MINUTES, (17, 10)),
        (17, 14, BarSpec(minutes=4), (17, 13)),
    ],
)
def test_bars_from_fifteen_minutes_on_lie_on_the_quarter_hours(
    hour: int, minute: int, spec: BarSpec, start: tuple[int, int]
) -> None:
    """Forex opens at 17:05 in New York, where the clock's quarter hours are those of UTC."""
    evening = injected_session(
        DAY, datetime(2026, 1, 12, 17, 5, tzinfo=UTC), datetime(2026, 1, 12, 23, tzinfo=UTC)
    )
    morning = injected_session(
        DAY, datetime(2026, 1, 12, 9, 15, tzinfo=UTC), datetime(2026, 1, 12, 16, tzinfo=UTC)
    )
    session = morning if hour < 17 else evening
    at = datetime(2026, 1, 12, hour, minute, 59, tzinfo=UTC)

    assert bar_start(at, spec, session) == datetime(2026, 1, 12, *start, tzinfo=UTC)


def test_a_session_that_opens_between_two_quarter_hours_begins_with_a_short_bar() -> None:
    session = injected_session(DAY, ist(DAY, 9, 20), ist(DAY, 10, 0))
    builder = BarBuilder(NIFTY, FIFTEEN_MINUTES, session)
    minutes = [_bar(ist(DAY, 9, minute), "100 101 99 100") for minute in (20, 29, 30, 44)]

    closed = [builder.on_tick(_tick(bar.start, "100")) for bar in minutes]

    assert [bar.start for bar in closed if bar is not None] == [ist(DAY, 9, 20)]
    assert builder.on_time(ist(DAY, 9, 44, 59)) is None
    last = builder.on_time(ist(DAY, 9, 45))
    assert last is not None
    assert last.start == ist(DAY, 9, 30)
    assert [bar.start for bar in merge_bars(minutes, FIFTEEN_MINUTES, session)] == [
        ist(DAY, 9, 20),
        ist(DAY, 9, 30),
    ]
