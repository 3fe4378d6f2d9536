"""The London breakout trades once a day on the first close outside the Asian range, and is flat by four."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.bars import merge_bars
from app.domain.errors import InvalidInputError
from app.domain.instruments import Venue
from app.domain.market_data import FIFTEEN_MINUTES, FIVE_MINUTES, ONE_MINUTE
from app.domain.orders import Side
from app.domain.signals import Signal, SignalKind
from strategies.london_breakout import LondonBreakout, LondonBreakoutParams
from strategies.registry import load_registry
from tests.unit.strategies.real_days import (
    EURUSD,
    Minute,
    RealDay,
    Replay,
    euro,
    euro_day,
    minute_bar,
    session_between,
)

LONDON, NEW_YORK = ZoneInfo("Europe/London"), ZoneInfo("America/New_York")
DAYS = [date(2014, 5, day) for day in (5, 6, 7, 14)]
VARIANTS: list[dict[str, Any]] = [
    {},
    {"min_range_pips": 10},
    {"min_range_pips": 10, "stop_at": "middle", "target_multiple": "1.5"},
    {"min_range_pips": 10, "timezone": "UTC"},
    {
        "min_range_pips": 0,
        "range_from": "02:00",
        "range_until": "05:30",
        "last_entry": "09:45",
        "flat_at": "11:00",
    },
    {"min_range_pips": 10, "breakeven_multiple": "0.3", "target_multiple": 20},
    {"min_range_pips": 10, "max_spread_pips": "1.5"},
]


@cache
def the_day(day: date) -> RealDay:
    return euro_day(day)


def plain_acts(day: RealDay, params: LondonBreakoutParams) -> list[str]:
    """Trade a day by the rules of S9 in whole points of a tenth of a pip; London is an hour ahead in May."""
    ahead = timedelta(hours=1 if params.timezone == "Europe/London" else 0)
    rows = [
        (
            m.bar.start + ahead,
            *(int(p * 100_000) for p in (m.bar.open, m.bar.high, m.bar.low, m.bar.close, m.spreads[0])),
        )
        for m in day.minutes
    ]
    midnight = datetime.combine(day.session.date, time(), tzinfo=UTC)
    begin, end, last, flat = (
        midnight + timedelta(hours=int(clock[:2]), minutes=int(clock[3:]))
        for clock in (params.range_from, params.range_until, params.last_entry, params.flat_at)
    )
    night = [row for row in rows if begin <= row[0] < end]
    high, low = max(row[2] for row in night), min(row[3] for row in night)
    width = high - low
    acts: list[str] = []
    side, entry, stop, best = 0, 0, 0.0, 0
    is_over = not float(params.min_range_pips) * 10 <= width <= float(params.max_range_pips) * 10
    for i, (start, first, top, bottom, _, spread) in enumerate(rows):
        if start >= flat and side:
            acts.append(f"{start - ahead:%H%M} flat")
            break
        # At the open of this minute the one before has closed.
        close, is_quarter = rows[i - 1][4], start.minute % 15 == 0
        if (
            start > end
            and not side
            and not is_over
            and is_quarter
            and start <= last
            and not low <= close <= high
        ):
            is_over = True
            beyond = close - high if close > high else low - close
            if (
                spread <= float(params.max_spread_pips) * 10
                and beyond < float(params.target_multiple) * width
            ):
                side = 1 if close > high else -1
                entry, best = (
                    first,
                    max(r[2] for r in rows[:i] if r[0] >= end)
                    if side > 0
                    else min(r[3] for r in rows[:i] if r[0] >= end),
                )
                stop = (low if side > 0 else high) if params.stop_at == "opposite" else (low + high) / 2
                acts.append(f"{start - ahead:%H%M} {'long' if side > 0 else 'short'}")
        elif side:
            best = max(best, rows[i - 1][2]) if side > 0 else min(best, rows[i - 1][3])
            edge = high if side > 0 else low
            if side * (close - edge) >= float(params.target_multiple) * width:
                acts.append(f"{start - ahead:%H%M} target")
                break
            has_run = side * (best - edge) >= float(params.breakeven_multiple) * width
            if has_run and side * (close - entry) <= 0:
                acts.append(f"{start - ahead:%H%M} breakeven")
                break
        if side and any(side * (price - stop) <= 0 for price in (first, top, bottom, rows[i][4])):
            acts.append("stopped")
            break
    return acts


def acts_of(replay: Replay) -> list[str]:
    acts = [f"{at:%H%M} {signal.key.split(':')[2]}" for at, signal in replay.wished]
    _, view = replay.asked[-1]
    is_stopped = any(leg.is_stopped for leg in view.legs.values())
    return [*acts, "stopped"] if is_stopped else acts


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("day", DAYS, ids=str)
def test_decides_minute_by_minute_as_a_plain_computation_does(day: date, variant: dict[str, Any]) -> None:
    params = LondonBreakoutParams(**variant)
    replay = Replay(LondonBreakout(params), the_day(day))

    replay.run()

    assert acts_of(replay) == plain_acts(the_day(day), params)


def test_the_days_show_every_rule() -> None:
    acts = [
        act for day in DAYS for v in VARIANTS for act in plain_acts(the_day(day), LondonBreakoutParams(**v))
    ]

    assert {act.split()[-1] for act in acts} == {"long", "short", "target", "breakeven", "stopped", "flat"}
