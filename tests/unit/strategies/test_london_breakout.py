"""The London breakout trades once a day on the first close outside the Asian range, and is flat by four."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from app.domain.strategy import BarEvent, StrategyView
from app.services.loops.market import Contracts, MarketSnapshot
from strategies.london_breakout import LondonBreakout, LondonBreakoutParams
from strategies.registry import load_registry
from tests.unit.strategies.real_days import (
    EURUSD,
    Minute,
    RealDay,
    Replay,
    bar_events,
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
    {"min_range_pips": 10, "max_spread_pips": 1},
]


@cache
def the_day(day: date) -> RealDay:
    return euro_day(day)


@dataclass(frozen=True)
class Row:
    """Hold a minute, its prices in points of a tenth of a pip, its start on the clock of the rules."""

    start: datetime
    first: int
    top: int
    bottom: int
    close: int
    spread: int


class Plain:
    """Trade a day by the rules of S9 in whole points, minute after minute; London is an hour ahead in May."""

    def __init__(self, day: RealDay, params: LondonBreakoutParams) -> None:
        self.params = params
        self.ahead = timedelta(hours=1 if params.timezone == "Europe/London" else 0)
        self.rows = [self.row(minute) for minute in day.minutes]
        midnight = datetime.combine(day.session.date, time(), tzinfo=UTC)
        self.begin, self.end, self.last, self.flat = (
            midnight + timedelta(hours=int(clock[:2]), minutes=int(clock[3:]))
            for clock in (params.range_from, params.range_until, params.last_entry, params.flat_at)
        )
        night = [row for row in self.rows if self.begin <= row.start < self.end]
        self.high, self.low = max(row.top for row in night), min(row.bottom for row in night)
        self.width = self.high - self.low
        self.acts: list[str] = []
        self.side, self.entry, self.stop, self.has_broken = 0, 0, 0.0, False

    def row(self, minute: Minute) -> Row:
        bar = minute.bar
        prices = (bar.open, bar.high, bar.low, bar.close, minute.spreads[0])
        return Row(bar.start + self.ahead, *(int(price * 100_000) for price in prices))

    def run(self) -> list[str]:
        for i, row in enumerate(self.rows[1:], start=1):
            is_done = self.may_leave(i, row) if self.side else self.may_enter(i, row)
            if is_done or self.is_stopped(row):
                break
        return self.acts

    def act(self, row: Row, rule: str) -> bool:
        self.acts.append(f"{row.start - self.ahead:%H%M} {rule}")
        return rule not in ("long", "short")

    def may_enter(self, i: int, row: Row) -> bool:
        close = self.rows[i - 1].close  # at the open of this minute the one before has closed
        is_quarter = row.start.minute % 15 == 0
        if not is_quarter or not self.end < row.start or self.low <= close <= self.high or self.has_broken:
            return False
        self.has_broken = True
        beyond = close - self.high if close > self.high else self.low - close
        is_fair = (
            float(self.params.min_range_pips) * 10 <= self.width <= float(self.params.max_range_pips) * 10
            and row.spread <= float(self.params.max_spread_pips) * 10
            and beyond < float(self.params.target_multiple) * self.width
        )
        if row.start > self.last or not is_fair:
            return False
        self.side, self.entry = 1 if close > self.high else -1, row.first
        edge = self.low if self.side > 0 else self.high
        self.stop = edge if self.params.stop_at == "opposite" else (self.low + self.high) / 2
        return self.act(row, "long" if self.side > 0 else "short")

    def may_leave(self, i: int, row: Row) -> bool:
        if row.start >= self.flat:
            return self.act(row, "flat")
        close, since = self.rows[i - 1].close, [r for r in self.rows[:i] if r.start >= self.end]
        if self.beyond(close) >= float(self.params.target_multiple) * self.width:
            return self.act(row, "target")
        best = max(r.top for r in since) if self.side > 0 else min(r.bottom for r in since)
        has_run = self.beyond(best) >= float(self.params.breakeven_multiple) * self.width
        if has_run and self.side * (close - self.entry) <= 0:
            return self.act(row, "breakeven")
        return False

    def beyond(self, price: int) -> int:
        return self.side * (price - (self.high if self.side > 0 else self.low))

    def is_stopped(self, row: Row) -> bool:
        prices = (row.first, row.top, row.bottom, row.close)
        if self.side and any(self.side * (price - self.stop) <= 0 for price in prices):
            self.acts.append("stopped")
            return True
        return False


def plain_acts(day: RealDay, params: LondonBreakoutParams) -> list[str]:
    return Plain(day, params).run()


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


@cache
def invented_day(day: date) -> RealDay:
    """Make a day whose events are told by the clock of London, inside the session by the clock of New York.

    Between midnight and seven the market swings 12 pips up and down, so that the range is 24 pips; at 07:37
    it jumps to 20 pips above the middle and stays. The evening before it was 100 pips higher and lower.
    """
    opens = datetime.combine(day - timedelta(days=1), time(17, 5), tzinfo=NEW_YORK).astimezone(UTC)
    closes = datetime.combine(day, time(16, 59), tzinfo=NEW_YORK).astimezone(UTC)
    shown_until = datetime.combine(day, time(16, 5), tzinfo=LONDON)
    minutes = []
    for i in range((shown_until - opens) // timedelta(minutes=1)):
        start = opens + timedelta(minutes=i)
        local = start.astimezone(LONDON)
        swing = 100 if local.date() < day else 12
        pips = (-swing, 0, swing, 0)[i % 4]
        if local.date() == day and local.time() >= time(7):
            pips = 0 if local.time() < time(7, 37) else 20
        price = str(Decimal("1.1") + pips * Decimal("0.0001"))
        minutes.append(Minute(bar=minute_bar(EURUSD, start, [price] * 4), spreads=(Decimal("0.0001"),) * 4))
    session = session_between(Venue.MT5, day, opens, closes)
    return RealDay(session=session, instrument=euro(), minutes=minutes)


@pytest.mark.parametrize(
    ("day", "entry", "flat"),
    [
        (date(2026, 1, 14), "0745", "1600"),  # both in winter time
        (date(2026, 3, 9), "0745", "1600"),  # New York in summer time since Sunday, London not yet
        (date(2026, 3, 30), "0645", "1500"),  # London in summer time since Sunday
        (date(2026, 7, 15), "0645", "1500"),
        (date(2026, 10, 26), "0745", "1600"),  # London in winter time since Sunday, New York not yet
        (date(2026, 11, 2), "0745", "1600"),
    ],
    ids=str,
)
def test_times_are_those_of_london_on_both_sides_of_every_change(day: date, entry: str, flat: str) -> None:
    replay = Replay(LondonBreakout(LondonBreakoutParams()), invented_day(day))

    replay.run()

    assert acts_of(replay) == [f"{entry} long", f"{flat} flat"]
    assert [signal.key for _, signal in replay.wished] == [
        f"{day}:london:long:{day}T{int(entry) - 15:04d}Z",
        f"{day}:london:flat",
    ]


def test_by_utc_a_summer_day_has_another_range() -> None:
    summer = Replay(LondonBreakout(LondonBreakoutParams(timezone="UTC")), invented_day(date(2026, 7, 15)))

    # The jump at 06:37 UTC belongs to the range, and the evening until midnight UTC does not.
    assert not summer.run()


def test_sunday_evening_is_no_part_of_mondays_range() -> None:
    monday = the_day(date(2014, 5, 5))
    assert monday.session.open_at.weekday() == 6
    (need, _) = LondonBreakout(LondonBreakoutParams()).indicator_needs()
    bars = merge_bars((m.bar for m in monday.minutes), FIFTEEN_MINUTES, monday.session)
    begins = datetime(2014, 5, 4, 23, tzinfo=UTC)
    inside = [bar for bar in bars if begins <= bar.start < begins + timedelta(hours=7)]

    (_, known), *_ = [
        (at, event) for at, event in bar_events(monday, need, None) if at == begins + timedelta(hours=7)
    ]

    assert isinstance(known, BarEvent)
    assert known.indicator_bar.value(need.names[0]) == max(bar.high for bar in inside)
    assert known.indicator_bar.value(need.names[1]) == min(bar.low for bar in inside)
    assert max(bar.high for bar in bars[:8]) != max(bar.high for bar in inside)


@pytest.mark.parametrize("day", DAYS, ids=str)
@pytest.mark.parametrize("variant", VARIANTS[:2], ids=str)
def test_never_enters_outside_its_hours_nor_holds_after_them(day: date, variant: dict[str, Any]) -> None:
    params = LondonBreakoutParams(**variant)
    replay = Replay(LondonBreakout(params), the_day(day))
    replay.run()

    for at, signal in replay.wished:
        clock = at.astimezone(LONDON).time()
        if signal.kind is SignalKind.ENTER:
            assert time(7, 15) <= clock <= time(10)
    _, last = replay.asked[-1]
    assert all(leg.net_qty == 0 for leg in last.legs.values())


@pytest.mark.parametrize("day", DAYS[1:3], ids=str)
def test_a_day_cut_short_gives_the_same_signals_up_to_the_cut(day: date) -> None:
    params = LondonBreakoutParams(**VARIANTS[1])
    whole = Replay(LondonBreakout(params), the_day(day)).run()

    for hour, minute in ((6, 20), (7, 20)):
        cut = datetime.combine(day, time(hour, minute), tzinfo=UTC)
        again = Replay(LondonBreakout(params), the_day(day)).run(cut=cut)
        assert again == [found for found in whole if found[0] < cut]


@pytest.mark.parametrize("day", DAYS[1:3], ids=str)
def test_asked_again_it_wishes_the_same_and_what_is_recorded_not_again(day: date) -> None:
    params = LondonBreakoutParams(**VARIANTS[1])
    replay = Replay(LondonBreakout(params), the_day(day))
    wished = {signal.key: signal for _, signal in replay.run()}
    recorded = frozenset(wished)
    fresh = LondonBreakout(params)

    again = {s.key: s for event, view in replay.asked for s in fresh.on_event(event, view)}
    after = [
        s for event, view in replay.asked for s in fresh.on_event(event, replace(view, emitted=recorded))
    ]

    assert again == wished
    assert not [s for s in after if s.key not in recorded]
    assert not [s for s in after if s.kind is SignalKind.ENTER]


# One moment of 14 May 2014: at 08:30 in London a bar closed above the range of 23.7 pips.
ENTRY = datetime(2014, 5, 14, 7, 30, tzinfo=UTC)


@cache
def the_entry() -> tuple[BarEvent, StrategyView]:
    """Return the event and the view of the breakout."""
    replay = Replay(LondonBreakout(LondonBreakoutParams()), the_day(date(2014, 5, 14)))
    replay.run()
    ((event, view),) = [
        (event, view)
        for event, view in replay.asked
        if isinstance(event, BarEvent)
        and view.now == ENTRY
        and event.indicator_bar.bar.spec == FIFTEEN_MINUTES
    ]
    return event, view


def ask(
    *, view: dict[str, Any] | None = None, tick: dict[str, Any] | None = None, **params: Any
) -> Sequence[Signal]:
    """Return what is wished at the breakout when something is different."""
    event, shown = the_entry()
    shown = replace(shown, **(view or {}))
    if tick is not None:
        known = shown.market.tick(EURUSD)
        assert known is not None
        market = MarketSnapshot(
            contracts=Contracts([euro()]), ticks={EURUSD: replace(known, **tick)}, now=shown.now
        )
        shown = replace(shown, market=market)
    return LondonBreakout(LondonBreakoutParams(**params)).on_event(event, shown)


def test_the_stop_lies_at_the_opposite_edge_or_in_the_middle() -> None:
    event, _ = the_entry()
    high, low = (
        value for name, value in event.indicator_bar.values if name.startswith(("range_high", "range_low"))
    )
    fills: list[Decimal] = []
    for stop_at in ("opposite", "middle"):
        (signal,) = ask(stop_at=stop_at, lots=7)
        (leg,) = signal.legs
        assert (leg.side, leg.lots, leg.instrument_id) == (Side.BUY, 7, EURUSD)
        assert leg.protection is not None
        fills.append(leg.reference_price * (1 - leg.protection.stop_fraction))

    # Rounded towards the earlier exit, by less than a millionth of the price.
    assert 0 <= fills[0] - low < Decimal("0.0000014")
    assert 0 <= fills[1] - (high + low) / 2 < Decimal("0.0000014")


@pytest.mark.parametrize(
    ("spread", "is_entered"), [("0.0002", True), ("0.00021", False), ("-0.00001", False), (None, False)]
)
def test_enters_only_at_a_fair_spread(spread: str | None, *, is_entered: bool) -> None:
    bid = Decimal("1.37229")
    ask_px = None if spread is None else bid + Decimal(spread)

    assert bool(ask(tick={"bid": bid, "ask": ask_px})) is is_entered


@pytest.mark.parametrize(
    ("params", "is_entered"),
    [
        ({"min_range_pips": "23.7"}, True),
        ({"min_range_pips": "23.71"}, False),
        ({"max_range_pips": "23.7"}, True),
        ({"max_range_pips": "23.69"}, False),
        ({"last_entry": "08:30"}, True),
        ({"last_entry": "08:15"}, False),
        ({"target_multiple": "0.001"}, False),
        ({"pip": "0.01"}, False),
    ],
)
def test_skips_what_its_parameters_forbid(params: dict[str, Any], *, is_entered: bool) -> None:
    assert bool(ask(**params)) is is_entered


def test_is_never_late_and_never_acts_on_an_old_price() -> None:
    assert ask(view={"now": ENTRY + timedelta(seconds=60)})
    assert not ask(view={"now": ENTRY + timedelta(seconds=61)})
    assert not ask(tick={"ts_event": ENTRY - timedelta(minutes=15, seconds=1)})


@pytest.mark.parametrize("side", ["long", "short"])
def test_trades_once_a_day(side: str) -> None:
    assert not ask(view={"emitted": frozenset({f"2014-05-14:london:{side}:2014-05-14T0645Z"})})
    assert ask(
        view={"emitted": frozenset({f"2014-05-13:london:{side}:2014-05-13T0645Z", "2014-05-14:orb:long"})}
    )


def test_only_the_first_close_outside_is_a_breakout() -> None:
    event, view = the_entry()
    second = tuple(
        (name, value + 1 if name.startswith("range_breaks") else value)
        for name, value in event.indicator_bar.values
    )
    later = BarEvent(indicator_bar=replace(event.indicator_bar, values=second))
    unknown = BarEvent(indicator_bar=replace(event.indicator_bar, values=()))
    strategy = LondonBreakout(LondonBreakoutParams())

    assert strategy.on_event(event, view)
    assert not strategy.on_event(later, view)
    assert not strategy.on_event(unknown, view)


def test_other_bars_and_instruments_are_none_of_its_business() -> None:
    event, view = the_entry()
    strategy = LondonBreakout(LondonBreakoutParams(instrument="GBPUSD.MT5"))

    assert not strategy.on_event(event, view)
    fives = replace(event.indicator_bar.bar, spec=FIVE_MINUTES)
    other = BarEvent(indicator_bar=replace(event.indicator_bar, bar=fives))
    assert not LondonBreakout(LondonBreakoutParams()).on_event(other, view)
    assert [need.spec for need in strategy.indicator_needs()] == [FIFTEEN_MINUTES, ONE_MINUTE]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"lots": 0}, "lots: "),
        ({"lots": 10_001}, "lots: "),
        ({"timezone": "Asia/Tokyo"}, "timezone: "),
        ({"range_from": "08:00"}, "range_until: .*time after 08:00"),
        ({"range_until": "00:00"}, "range_until: .*time after 00:00"),
        ({"last_entry": "06:45"}, "last_entry: .*time after 07:00"),
        ({"flat_at": "10:00"}, "flat_at: .*time after 10:00"),
        ({"flat_at": "24:00"}, "flat_at: .*pattern"),
        ({"range_from": "00:05"}, "range_from: .*pattern"),
        ({"min_range_pips": 61}, "max_range_pips: .*narrowest range, 61"),
        ({"max_spread_pips": 0}, "max_spread_pips: "),
        ({"stop_at": "nowhere"}, "stop_at: "),
        ({"pip": "NaN"}, "pip: .*finite"),
        ({"size": 1}, "size: .*[Uu]nexpected"),
    ],
)
def test_names_each_parameter_that_does_not_fit(params: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        load_registry().validate("london_breakout", params)
