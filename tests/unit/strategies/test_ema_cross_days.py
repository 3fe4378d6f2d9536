"""On real days of bitcoin the trend follower decides as a plain computation of its rules says."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from app.domain.ids import InstrumentId
from strategies.ema_cross import EmaCross, EmaCrossParams
from tests.unit.strategies.plain_averages import plain_adx, plain_atr, plain_ema
from tests.unit.strategies.real_days import PERPETUAL, SPOT, RealDay, Replay, bitcoin_day

DAYS = [date(2024, 12, 6), date(2024, 12, 15)]
VARIANTS: list[dict[str, Any]] = [
    {},
    {"sides": "long"},
    {"instrument": SPOT, "stop_atr": 1},
    {"stop_atr": "0.7", "trail_atr": 2},
    {"stop_atr": "0.7", "cooldown_bars": 0, "min_adx": 15},
    {"stop_atr": "0.3", "cooldown_bars": 8, "min_adx": 0, "fast": 3, "slow": 8, "max_entries": 9},
    {"min_adx": 0, "fast": 3, "slow": 8, "max_entries": 50, "flat_before_close_minutes": 60},
]


@cache
def the_day(day: date, instrument_id: InstrumentId) -> RealDay:
    return bitcoin_day(day, instrument_id)


@dataclass
class Plain:
    """Trade a day by the rules of S5 in floats, one quarter hour after the other, with its own averages."""

    minutes: Sequence[tuple[float, float, float, float]]
    params: EmaCrossParams
    acts: list[str] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    side: int = 0
    stop: float = 0.0
    worth: float = 0.0
    filled: float = 0.0
    entries: int = 0
    crossed_on: int = -1
    left_on: int = -99
    stopped_on: int = -99

    def run(self) -> list[str]:
        self.prices = [self.minutes[i : i + 15] for i in range(0, len(self.minutes), 15)]
        bars = [(max(m[1] for m in p), min(m[2] for m in p), p[-1][3]) for p in self.prices]
        closes = [close for _, _, close in bars]
        self.fast, self.slow = (plain_ema(closes, n) for n in (self.params.fast, self.params.slow))
        self.atr, self.adx = plain_atr(bars, self.params.atr_period), plain_adx(bars, self.params.adx_period)
        self.bars = bars
        for i in range(len(bars)):
            self.live_through(i)
            self.decide(i)
        return self.acts

    def live_through(self, i: int) -> None:
        for price in (price for minute in self.prices[i] for price in minute):
            if self.side and self.side * (price - self.stop) <= 0:
                self.side, self.stopped_on = 0, i
                self.leave(i, "stopped")

    def leave(self, i: int, rule: str) -> None:
        self.side, self.left_on = 0, i
        self.acts.append(f"{i // 4:02d}{i % 4 * 15:02d} {rule}")

    def is_above(self, i: int) -> bool | None:
        fast, slow = self.fast[i], self.slow[i]
        return None if fast is None or slow is None else fast > slow

    def decide(self, i: int) -> None:
        is_above, was_above = self.is_above(i), self.is_above(i - 1) if i else None
        if was_above is not None and is_above != was_above:
            self.crossed_on = i
        is_last = (i + 1) * 15 >= 24 * 60 - self.params.flat_before_close_minutes
        if self.left_on == i:
            return
        if self.side:
            self.maybe_leave(i, is_last=is_last)
        elif not is_last:
            self.maybe_enter(i)

    def maybe_leave(self, i: int, *, is_last: bool) -> None:
        if is_last:
            self.leave(i, "day-end")
        elif self.is_above(i) != (self.side > 0):
            self.leave(i, "cross")
        else:
            atr, since = self.atr[i], self.bars[self.crossed_on + 1 : i + 1]
            best = max(high for high, _, _ in since) if self.side > 0 else min(low for _, low, _ in since)
            if atr is not None and self.side * (best - self.bars[i][2]) >= float(self.params.trail_atr) * atr:
                self.leave(i, "trail")

    def maybe_enter(self, i: int) -> None:
        adx, atr, side = self.adx[i], self.atr[i], 1 if self.is_above(i) else -1
        is_fresh = self.crossed_on == i or (self.crossed_on == i - 1 and self.left_on == i - 1)
        is_cooling = i - self.stopped_on <= self.params.cooldown_bars
        if not is_fresh or is_cooling or adx is None or adx <= self.params.min_adx or atr is None:
            return
        if side < 0 and (self.params.sides == "long" or self.params.instrument == SPOT):
            return
        if self.entries >= self.params.max_entries:
            return
        price = self.prices[i + 1][0][0]
        stop = price - side * float(self.params.stop_atr) * atr
        quantity = self.size(price, atr)
        worth, filled = self.worth + quantity * price, self.filled + quantity
        if side * (worth / filled - stop) <= 0:
            return  # the platform measures stops from the average of the day, and cannot place this one
        self.worth, self.filled = worth, filled
        self.side, self.stop, self.entries = side, stop, self.entries + 1
        self.stops.append(stop)
        self.sizes.append(quantity)
        self.acts.append(f"{i // 4:02d}{i % 4 * 15:02d} {'long' if side > 0 else 'short'}")

    def size(self, price: float, atr: float) -> float:
        capital = float(self.params.capital)
        risked = capital * float(self.params.risk_fraction) / (float(self.params.stop_atr) * atr)
        is_spot = self.params.instrument == SPOT
        lot = 0.00001 if is_spot else 0.001
        return lot * math.floor(min(risked, capital * (1 if is_spot else 3) / price) / lot)


def plain_of(day: RealDay, params: EmaCrossParams) -> Plain:
    bars = [minute.bar for minute in day.minutes]
    rows = [(float(bar.open), float(bar.high), float(bar.low), float(bar.close)) for bar in bars]
    return Plain(minutes=rows, params=params)


def acts_of(replay: Replay) -> Iterator[str]:
    """Yield the start of the bar that was decided on, and the rule, as the keys tell them."""
    for _, signal in replay.wished:
        stamp, _, side, *end = signal.key.split(":")
        rule, stamp = (end[0], end[1]) if end else (side, stamp)
        yield f"{stamp[11:15]} {rule}"


def stops_and_sizes(replay: Replay, day: RealDay) -> tuple[list[float], list[float]]:
    """Return where the platform places the stop of each entry: from the average of the day's entries."""
    stops, sizes, worth, filled = [], [], Decimal(0), Decimal(0)
    for leg in (leg for _, signal in replay.wished for leg in signal.legs):
        assert leg.protection is not None
        quantity = leg.lots * day.instrument.lot_size
        worth, filled = worth + quantity * leg.reference_price, filled + quantity
        stops.append(float(worth / filled * (1 - leg.side.sign * leg.protection.stop_fraction)))
        sizes.append(float(quantity))
    return stops, sizes


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("day", DAYS, ids=str)
def test_decides_bar_by_bar_as_a_plain_computation_does(day: date, variant: dict[str, Any]) -> None:
    params = EmaCrossParams(**variant)
    real = the_day(day, InstrumentId(params.instrument))
    plain, replay = plain_of(real, params), Replay(EmaCross(params), real)

    replay.run()

    assert list(acts_of(replay)) == plain.run()
    assert len(plain.acts) >= 2
    assert all((at.minute % 15, at.second) == (0, 0) for at, _ in replay.wished)
    stops, sizes = stops_and_sizes(replay, real)
    # A millionth of 100,000 is 0.1; the indicator is stored to four digits.
    assert stops == [pytest.approx(stop, abs=0.12) for stop in plain.stops]
    assert sizes == [pytest.approx(size, rel=1e-9) for size in plain.sizes]


def test_the_days_show_every_rule() -> None:
    rules = {
        act.split()[1]
        for day in DAYS
        for variant in VARIANTS
        for act in plain_of(the_day(day, PERPETUAL), EmaCrossParams(**variant)).run()
    }

    assert rules == {"long", "short", "stopped", "cross", "trail", "day-end"}


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_a_trade_risks_a_hundredth_of_the_capital_in_whole_lots(day: date) -> None:
    replay = Replay(EmaCross(EmaCrossParams()), the_day(day, PERPETUAL))
    replay.run()

    legs = [leg for _, signal in replay.wished for leg in signal.legs]

    assert legs
    first = legs[0]
    assert first.protection is not None
    distance = first.reference_price * first.protection.stop_fraction
    risk = first.lots * Decimal("0.001") * distance
    assert 100 - Decimal("0.001") * distance - 1 < risk <= 100


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_a_day_cut_short_gives_the_same_signals_up_to_the_cut(day: date) -> None:
    real, params = the_day(day, PERPETUAL), EmaCrossParams(**VARIANTS[4])
    whole = Replay(EmaCross(params), real).run()

    for minutes in (740, 1130):
        cut = real.session.open_at + timedelta(minutes=minutes)
        assert Replay(EmaCross(params), real).run(cut=cut) == [found for found in whole if found[0] < cut]


def test_asked_again_it_wishes_the_same_and_what_is_recorded_not_again() -> None:
    replay = Replay(EmaCross(EmaCrossParams(**VARIANTS[4])), the_day(DAYS[0], PERPETUAL))
    wished = {signal.key: signal for _, signal in replay.run()}
    fresh = EmaCross(EmaCrossParams(**VARIANTS[4]))

    again = {s.key: s for event, view in replay.asked for s in fresh.on_event(event, view)}
    assert again == wished
