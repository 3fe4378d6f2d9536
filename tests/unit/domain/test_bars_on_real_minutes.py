"""Check that bars built from the real NIFTY minutes of 2 January 2019 are those minutes."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from app.domain.bars import BarBuilder, merge_bars
from app.domain.ids import InstrumentId
from app.domain.market_data import FIVE_MINUTES, ONE_MINUTE, Bar, BarSpec, Tick
from app.domain.numbers import ZERO
from tests.unit.domain.calendars import injected_session, ist

NIFTY = InstrumentId("NIFTY.NSE")
DAY = date(2019, 1, 2)
SESSION = injected_session(DAY, ist(DAY, 9, 15), ist(DAY, 15, 30))
FILE = Path(__file__).parents[2] / "data" / "nse" / "20190102_nifty_minute_trade.csv"


def _row_to_bar(row: str) -> Bar:
    since_midnight_ms, *prices = row.split(",")
    opens, high, low, close, _ = map(Decimal, prices)
    return Bar(
        instrument_id=NIFTY,
        spec=ONE_MINUTE,
        start=ist(DAY, 0) + timedelta(milliseconds=int(since_midnight_ms)),
        open=opens,
        high=high,
        low=low,
        close=close,
        volume=ZERO,
    )


def _tick(at: datetime, price: Decimal, sequence: int) -> Tick:
    return Tick(
        instrument_id=NIFTY, last=price, bid=None, ask=None, ts_event=at, ts_init=at, sequence=sequence
    )


@pytest.fixture(scope="module")
def minutes() -> list[Bar]:
    rows = FILE.read_text(encoding="ascii").splitlines()
    return [_row_to_bar(row) for row in rows if row.strip()]


@pytest.fixture(scope="module")
def ticks(minutes: list[Bar]) -> list[Tick]:
    seconds = (0, 20, 40, 59)
    return [
        _tick(bar.start + timedelta(seconds=second), price, sequence=4 * number + part)
        for number, bar in enumerate(minutes)
        for part, (second, price) in enumerate(
            zip(seconds, (bar.open, bar.high, bar.low, bar.close), strict=True)
        )
    ]


def _build(ticks: list[Tick], spec: BarSpec) -> tuple[list[Bar], BarBuilder]:
    builder = BarBuilder(NIFTY, spec, SESSION)
    closed = [builder.on_tick(tick) for tick in ticks]
    closed.append(builder.on_time(SESSION.close_at))
    return [bar for bar in closed if bar is not None], builder


def test_bars_are_the_375_minutes_of_the_session(minutes: list[Bar], ticks: list[Tick]) -> None:
    bars, _ = _build(ticks, ONE_MINUTE)
    assert bars == minutes[1:-1]
    assert len(bars) == 375
    assert (bars[0].start, bars[-1].end) == (SESSION.open_at, SESSION.close_at)


def test_pre_open_print_and_post_close_row_are_dropped(minutes: list[Bar], ticks: list[Tick]) -> None:
    _, builder = _build(ticks, ONE_MINUTE)
    assert (minutes[0].start, minutes[-1].start) == (ist(DAY, 9, 7), ist(DAY, 15, 31))
    assert (builder.outside_count, builder.late_count) == (8, 0)


@pytest.mark.parametrize("length", [5, 7, 15, 60, 1440])
def test_longer_bars_from_ticks_are_the_merged_minutes(
    minutes: list[Bar], ticks: list[Tick], length: int
) -> None:
    spec = BarSpec(minutes=length)
    bars, _ = _build(ticks, spec)
    assert tuple(bars) == merge_bars(minutes, spec, SESSION)


def test_opening_range_of_the_first_five_minutes(minutes: list[Bar]) -> None:
    first = merge_bars(minutes, FIVE_MINUTES, SESSION)[0]
    assert (first.open, first.high, first.low, first.close) == tuple(
        map(Decimal, ("10861.2", "10870.35", "10839.3", "10869"))
    )
