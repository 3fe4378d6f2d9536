"""The breakout buys once per direction outside the range, and leaves by closes of the index."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain.ids import InstrumentId
from app.domain.orders import Side
from app.domain.signals import Signal, SignalKind
from strategies.opening_range import OpeningRange, OpeningRangeParams
from tests.unit.strategies.views import Range, bar_event, leg, tick_event, view

STRATEGY = OpeningRange(OpeningRangeParams())
AT = timedelta(minutes=30)
LONG, SHORT = "2019-01-02:orb:long", "2019-01-02:orb:short"
CE, PE = "NIFTY-20190103-10900-CE.NSE", "NIFTY-20190103-10850-PE.NSE"
# The range is 10850 to 10880: buffer 2.172, thirds at 10860 and 10870, targets at 10925 and 10805.


def ask(close: str, *, at: timedelta = AT, minutes: int = 5, **shown: Any) -> Sequence[Signal]:
    event = bar_event(at, close, minutes=minutes, bounds=shown.pop("bounds", None))
    return STRATEGY.on_event(event, view(at=at, spot=close, **shown))


@pytest.mark.parametrize(
    ("close", "keys"),
    [
        ("10882.17", []),
        ("10882.20", [LONG]),
        ("10847.85", []),
        ("10847.80", [SHORT]),
        ("10865", []),
        ("10924.95", [LONG]),
        ("10925", []),
        ("10805", []),
    ],
)
def test_signals_on_a_close_beyond_the_range_and_its_buffer_but_not_beyond_the_target(
    close: str, keys: list[str]
) -> None:
    assert [signal.key for signal in ask(close)] == keys


def test_buys_the_call_above_and_the_put_below() -> None:
    (up,), (down,) = ask("10890"), ask("10840")

    assert [(leg.instrument_id, leg.side) for leg in up.legs] == [(CE, Side.BUY)]
    assert [(leg.instrument_id, leg.side) for leg in down.legs] == [(PE, Side.BUY)]
    assert up.legs[0].protection is not None
    assert up.legs[0].protection.stop_fraction == Decimal("0.30")


def test_trades_each_direction_once() -> None:
    assert not ask("10890", emitted=[LONG])
    assert ask("10840", emitted=[LONG])


@pytest.mark.parametrize(("minutes", "is_bought"), [(285, True), (290, False)])
def test_takes_no_entry_after_two_o_clock(minutes: int, *, is_bought: bool) -> None:
    assert bool(ask("10890", at=timedelta(minutes=minutes))) is is_bought


def test_bars_of_the_range_itself_cannot_break_out() -> None:
    assert not ask("10890", at=timedelta(minutes=15))
    assert ask("10890", at=timedelta(minutes=20))


@pytest.mark.parametrize(
    ("high", "is_bought"), [("10866.25", False), ("10866.29", True), ("10958.60", True), ("10958.61", False)]
)
def test_skips_a_range_that_is_too_narrow_or_too_wide(high: str, *, is_bought: bool) -> None:
    bounds = replace(Range(), high=Decimal(high))
    close = str(Decimal(high) + 5)

    assert bool(ask(close, bounds=bounds)) is is_bought


@pytest.mark.parametrize("missing", ["open", "high", "low"])
def test_makes_no_trade_without_the_whole_range(missing: str) -> None:
    names = tuple(name for name in ("open", "high", "low") if name != missing)

    assert not ask("10890", bounds=Range(names=names))


def test_makes_no_trade_on_a_bar_that_closed_long_ago() -> None:
    event = bar_event(AT, "10890")

    assert STRATEGY.on_event(event, view(at=AT + timedelta(seconds=60)))
    assert not STRATEGY.on_event(event, view(at=AT + timedelta(seconds=61)))


def test_waits_for_the_price_of_the_option() -> None:
    assert not ask("10890", missing=[InstrumentId(CE)])


@pytest.mark.parametrize(
    ("held", "close", "is_sold"),
    [
        (CE, "10860", False),
        (CE, "10859.95", True),
        (CE, "10924.95", False),
        (CE, "10925", True),
        (PE, "10870", False),
        (PE, "10870.05", True),
        (PE, "10805.05", False),
        (PE, "10805", True),
    ],
)
def test_leaves_at_the_target_or_inside_the_opposite_third(held: str, close: str, *, is_sold: bool) -> None:
    signals = ask(close, minutes=1, legs=[leg(held, 65)])

    assert [(s.kind, s.instrument_id) for s in signals] == ([(SignalKind.EXIT, held)] if is_sold else [])


def test_leaves_each_direction_once_and_only_what_it_holds() -> None:
    assert not ask("10850", minutes=1, legs=[leg(CE, 65)], emitted=[f"{LONG}:exit"])
    assert not ask("10850", minutes=1, legs=[leg(CE, 0)])


def test_judges_exits_on_one_minute_bars_and_entries_on_five_minute_bars() -> None:
    assert not ask("10850", minutes=5, legs=[leg(CE, 65)])
    assert not ask("10890", minutes=1)
    assert [need.spec.minutes for need in STRATEGY.indicator_needs()] == [5, 1]


def test_ticks_are_none_of_its_business() -> None:
    assert not STRATEGY.on_event(tick_event(AT), view(at=AT))


def test_one_minute_signals_need_one_bar_stream_and_exits_come_first() -> None:
    strategy = OpeningRange(OpeningRangeParams(signal_minutes=1))
    shown = view(at=AT, spot="10840", legs=[leg(CE, 65)])

    signals = strategy.on_event(bar_event(AT, "10840", minutes=1), shown)

    assert len(strategy.indicator_needs()) == 1
    assert [signal.kind for signal in signals] == [SignalKind.EXIT, SignalKind.ENTER]
