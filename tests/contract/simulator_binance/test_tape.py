"""The market: real minutes, a path that hits every open, high, low and close, and the grid of ticks."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from brokers.simulators.binance.clock import Grid
from brokers.simulators.binance.minutes import PricePath, load_minutes
from brokers.simulators.binance.symbols import list_symbols
from brokers.simulators.binance.tape import Tape
from tests.contract.simulator_binance.floor import DATA, bars

OPENS = datetime(2024, 12, 2, tzinfo=UTC)
SPOT = ("spot", "BTCUSDT")


def test_the_data_are_three_days_without_a_gap() -> None:
    assert len(bars()) == 4320
    assert (bars()[0].open, bars()[-1].close) == (Decimal("97185.17"), Decimal("98587.32"))


def test_a_day_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="2030-01-01"):
        load_minutes(DATA, datetime(2030, 1, 1, tzinfo=UTC).date())


@pytest.mark.parametrize("step_s", [3, 15])
def test_every_minute_is_seen_with_its_open_high_low_and_close(step_s: int) -> None:
    path = PricePath(bars(), OPENS, seed=3)
    for index, bar in enumerate(bars()[:300]):
        start = OPENS + timedelta(minutes=index)
        seen = [path.price(start + timedelta(seconds=second)) for second in range(0, 60, step_s)]
        assert (seen[0], max(seen), min(seen), seen[-1]) == (bar.open, bar.high, bar.low, bar.close)


def test_the_path_depends_on_the_seed_only_between_the_corners() -> None:
    instant = OPENS + timedelta(minutes=5, seconds=7)
    assert PricePath(bars(), OPENS, 1).price(instant) == PricePath(bars(), OPENS, 1).price(instant)
    seeds = {PricePath(bars(), OPENS, seed).price(instant) for seed in range(5)}
    assert len(seeds) > 1


def run(minutes: int) -> Tape:
    """Return a tape that has ticked for some minutes at the coarse step."""
    tape = Tape(PricePath(bars(), OPENS, 1), list_symbols(), 1)
    for tick in range(4 * minutes + 1):
        tape.advance(OPENS + tick * timedelta(seconds=15))
    return tape


def test_quotes_lie_on_the_tick_around_the_last_price() -> None:
    for key, quote in run(3).quotes.items():
        tick = list_symbols()[key].tick
        assert quote.bid <= quote.last <= quote.ask
        assert quote.bid < quote.ask
        assert quote.bid % tick == quote.ask % tick == quote.last % tick == 0


def test_closed_candles_are_the_real_bars_and_longer_ones_join_them() -> None:
    tape = run(12)
    assert tape.instant is not None
    *closed, running = tape.candles(SPOT, "1m", limit=500, until=tape.instant)
    assert [candle.bar for candle in closed] == bars()[:12]
    assert (running.closed, running.bar.open) == (False, bars()[12].open)
    first, second, third = tape.candles(SPOT, "5m", limit=3, until=tape.instant)
    assert (first.closed, second.closed, third.closed) == (True, True, False)
    assert first.bar.high == max(bar.high for bar in bars()[:5])
    assert first.bar.volume == sum((bar.volume for bar in bars()[:5]), Decimal(0))


def test_windows_make_the_grid_finer() -> None:
    grid = Grid(OPENS)
    grid.set_windows([(OPENS + timedelta(seconds=20), OPENS + timedelta(seconds=28))])
    due, offsets = OPENS, []
    for _tick in range(5):
        due = grid.next_after(due)
        offsets.append((due - OPENS).seconds)
    assert offsets == [15, 21, 24, 27, 30]
