"""The index path: real minutes, hit exactly, on either grid."""

import zipfile
from datetime import date, timedelta
from pathlib import Path

import pytest

from brokers.simulators.kotak.clock import Grid
from brokers.simulators.kotak.minutes import IndexPath, load_minutes
from tests.contract.simulator_kotak.market import DATA, minutes

DAYS = ["2019-01-01", "2019-01-02", "2019-01-03", "2019-01-04"]


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("step", [3, 15])
def test_every_minute_hits_its_open_high_low_and_close(day: str, step: int) -> None:
    session = minutes(day)
    path = IndexPath(session, seed=7)
    for index, bar in session.bars.items():
        start = path.opens + timedelta(minutes=index)
        prices = [path.price(start + timedelta(seconds=second)) for second in range(0, 60, step)]
        assert (prices[0], max(prices), min(prices), prices[-1]) == (bar.open, bar.high, bar.low, bar.close)


def test_a_rising_minute_goes_to_its_low_first_and_a_falling_one_to_its_high() -> None:
    session = minutes()
    path = IndexPath(session, seed=7)
    for index, bar in session.bars.items():
        first = path.price(path.opens + timedelta(minutes=index, seconds=15))
        assert first == (bar.low if bar.close >= bar.open else bar.high)


def test_trading_knows_neither_the_preopen_print_nor_the_rows_after_the_close() -> None:
    session = minutes()
    path = IndexPath(session, seed=7)
    assert sorted(session.bars) == list(range(375))
    assert session.preopen == 1_086_885
    assert path.price(path.opens) == 1_086_120
    assert path.price(path.opens + timedelta(hours=8)) == session.bars[374].close == 1_078_190


def test_the_path_depends_on_the_seed_and_nothing_else() -> None:
    session = minutes()
    opens = Grid(session.day).opens
    instants = [opens + timedelta(seconds=second) for second in range(0, 600, 3)]
    one, same, other = (IndexPath(session, seed=seed) for seed in (7, 7, 8))
    forward = [one.price(instant) for instant in instants]
    assert forward == [same.price(instant) for instant in reversed(instants)][::-1]
    assert forward != [other.price(instant) for instant in instants]


def test_a_day_without_data_says_which_days_there_are() -> None:
    with pytest.raises(FileNotFoundError, match="days there: 20190101, 20190102"):
        load_minutes(DATA, date(2019, 1, 5))


def test_a_missing_minute_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "20190102_trade.zip", "w") as archive:
        archive.writestr("x.csv", "33300000,1,1,1,1,0\n\n33420000,1,1,1,1,0\n")
    with pytest.raises(ValueError, match="missing"):
        load_minutes(tmp_path, date(2019, 1, 2))


def test_the_grid_ticks_every_15_s_and_every_3_s_inside_windows() -> None:
    grid = Grid(date(2019, 1, 2))
    assert len(grid.instants) == 375 * 4 + 1
    grid.set_windows([(grid.opens + timedelta(minutes=5), grid.opens + timedelta(minutes=5, seconds=30))])
    inside = [i for i in grid.instants if timedelta(minutes=5) <= i - grid.opens <= timedelta(seconds=345)]
    assert [(i - grid.opens).seconds - 300 for i in inside] == [*range(0, 31, 3), 45]
    assert len(grid.instants) == len(set(grid.instants)) == 375 * 4 + 1 + 8
