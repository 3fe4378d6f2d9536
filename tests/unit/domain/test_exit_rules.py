"""Golden tables of the exit rules: what each observation does to the stop, and when the leg shall leave."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from app.domain.errors import InvalidInputError
from app.domain.exit_terms import (
    BreakEven,
    Distance,
    DistanceUnit,
    ExitTerms,
    Trail,
    TrueRange,
    fraction,
    points,
    ranges,
)
from app.domain.numbers import ZERO
from app.domain.orders import Side
from app.domain.risk.exit_rules import (
    ExitCause,
    ExitState,
    Holding,
    StopRule,
    advance,
    stop_in_force,
)
from tests.builders import NOW

TICK = Decimal("0.05")
LONG = Holding(side=Side.BUY, entry_px=Decimal(100), tick_size=TICK, first_stop=Decimal(90))
SHORT = Holding(side=Side.SELL, entry_px=Decimal(100), tick_size=TICK, first_stop=Decimal(110))
FRESH = ExitState(opened_at=NOW)

Seen = list[Decimal | str | None]


def read(words: str) -> Seen:
    """Read a row of a golden table: numbers are levels."""
    return [word if word.isalpha() else Decimal(word) for word in words.split()]


def walk(terms: ExitTerms, holding: Holding, prices: str) -> Seen:
    """Show the stop in force after each price, or why to leave; "stop" where the price is at the stop."""
    state = FRESH
    seen: Seen = []
    for text in prices.split():
        state, cause = advance(state, terms, holding, price=Decimal(text), now=NOW)
        assert advance(state, terms, holding, price=Decimal(text), now=NOW) == (state, cause), (
            "not idempotent"
        )
        seen.append(cause or stop_in_force(state, holding) if state.due_at is None else "stop")
    return seen


POINTS = ExitTerms(trail=Trail(distance=points(5)))
STEPS = ExitTerms(trail=Trail(distance=points(5), step=Decimal(2)))
LATE = ExitTerms(trail=Trail(distance=points(5), after=Decimal(8)))
PERCENT = ExitTerms(trail=Trail(distance=fraction("0.15"), after=Decimal("0.20")))
EVEN = ExitTerms(break_even=BreakEven(trigger=points(6)))
SECURED = ExitTerms(break_even=BreakEven(trigger=fraction("0.06"), offset=Decimal("0.02")))
BOTH = ExitTerms(trail=Trail(distance=points(5)), break_even=BreakEven(trigger=points(3)))
TARGET = ExitTerms(target=points(20))
SHARE = ExitTerms(target=fraction("0.30"))
EVERYTHING = replace(BOTH, target=points(20), time_stop_s=600, follows_siblings=True)


@pytest.mark.parametrize(
    ("terms", "prices", "seen"),
    [
        pytest.param(
            POINTS, "100 101 100.95 101.05 96.10 96.05", "95 96.00 96.00 96.05 96.05 stop", id="trail"
        ),
        pytest.param(POINTS, "98 97 102 97.05 97", "95 95 97 97 stop", id="trail from the entry at least"),
        pytest.param(POINTS, "100.02 100.04", "95.05 95.05", id="trail on the grid towards the exit"),
        pytest.param(STEPS, "100 101.95 102 103.95 104", "95 95 97 97 99", id="trail in steps"),
        pytest.param(LATE, "107.95 108 104 103", "90 103 103 stop", id="trail after a gain"),
        pytest.param(PERCENT, "119.95 120 130 110.55 110.50", "90 102.00 110.50 110.50 stop", id="percent"),
        pytest.param(EVEN, "105.95 106 100.05 100", "90 100 100 stop", id="break-even"),
        pytest.param(EVEN, "95 90", "90 stop", id="first stop stands until then"),
        pytest.param(SECURED, "105.95 106 150 102", "90 102.00 102.00 stop", id="break-even with an offset"),
        pytest.param(BOTH, "103 104 106 101", "100 100 101 stop", id="the tighter of two rules"),
        pytest.param(TARGET, "119.95 120", "90 target", id="target"),
        pytest.param(SHARE, "129.95 130", "90 target", id="target as a fraction"),
        pytest.param(EVERYTHING, "100 125", "95 target", id="a jump over the target"),
        pytest.param(EVERYTHING, "100 119 114", "95 114 stop", id="the stop wins"),
    ],
)
def test_long_positions(terms: ExitTerms, prices: str, seen: str) -> None:
    assert walk(terms, LONG, prices) == read(seen)


@pytest.mark.parametrize(
    ("terms", "prices", "seen"),
    [
        pytest.param(
            POINTS, "100 99 99.05 98.95 103.90 103.95", "105 104 104 103.95 103.95 stop", id="trail"
        ),
        pytest.param(POINTS, "99.98 99.96", "104.95 104.95", id="trail on the grid towards the exit"),
        pytest.param(STEPS, "100 98.05 98 96.05 96", "105 105 103 103 101", id="trail in steps"),
        pytest.param(LATE, "92.05 92 96.95 97", "110 97 97 stop", id="trail after a gain"),
        pytest.param(
            PERCENT, "80.05 80 70 80.45 80.50", "110 92.00 80.50 80.50 stop", id="percent of the best"
        ),
        pytest.param(EVEN, "94.05 94 99.95 100", "110 100 100 stop", id="break-even"),
        pytest.param(SECURED, "94.05 94 98", "110 98.00 stop", id="break-even with an offset"),
        pytest.param(TARGET, "80.05 80", "110 target", id="target"),
        pytest.param(SHARE, "70.05 70", "110 target", id="target as a fraction"),
    ],
)
def test_short_positions(terms: ExitTerms, prices: str, seen: str) -> None:
    assert walk(terms, SHORT, prices) == read(seen)


def test_time_stop_needs_no_price_and_fires_at_its_second() -> None:
    terms = ExitTerms(time_stop_s=600)

    for seconds, cause in ((599.999, None), (600, ExitCause.TIME_STOP), (5000, ExitCause.TIME_STOP)):
        at = NOW + timedelta(seconds=seconds)
        assert advance(FRESH, terms, LONG, price=None, now=at) == (FRESH, cause)
        assert advance(FRESH, terms, LONG, price=Decimal(101), now=at) == (FRESH, cause)


def test_at_the_stop_neither_time_nor_target_is_asked() -> None:
    moved, late = replace(FRESH, stop_px=Decimal(120), stop_rule=StopRule.TRAIL), NOW + timedelta(hours=1)
    due, cause = advance(moved, EVERYTHING, LONG, price=Decimal(120), now=late)

    assert (due, cause) == (replace(moved, due_at=late), None)
    assert advance(due, EVERYTHING, LONG, price=Decimal(150), now=late + timedelta(hours=1)) == (due, None)


def test_a_stop_that_its_own_pass_put_at_the_price_is_due() -> None:
    state, _ = advance(FRESH, POINTS, LONG, price=Decimal(95), now=NOW)

    assert (state.stop_px, state.due_at) == (Decimal(95), NOW)


def test_a_stopped_sibling_moves_the_stop_to_the_entry_once() -> None:
    terms = ExitTerms(follows_siblings=True)
    ragged = replace(LONG, entry_px=Decimal("100.02"))

    for holding, level in ((LONG, "100"), (SHORT, "100"), (ragged, "100.05")):
        state, cause = advance(FRESH, terms, holding, price=None, now=NOW, is_sibling_stopped=True)
        assert (state.stop_px, state.stop_rule, cause) == (Decimal(level), StopRule.SIBLING, None)
        assert state.followed_sibling

    assert advance(FRESH, terms, LONG, price=Decimal(101), now=NOW)[0] == FRESH
    assert advance(FRESH, POINTS, LONG, price=None, now=NOW, is_sibling_stopped=True)[0] == FRESH


def test_a_stopped_sibling_loosens_nothing() -> None:
    trailed = replace(FRESH, stop_px=Decimal(103), stop_rule=StopRule.TRAIL)

    state, _ = advance(trailed, EVERYTHING, LONG, price=Decimal(105), now=NOW, is_sibling_stopped=True)
    assert (state.stop_px, state.followed_sibling) == (Decimal(103), True)


def test_a_trail_stays_a_tick_off_the_best_price() -> None:
    tight = ExitTerms(trail=Trail(distance=points("0.01")))

    assert walk(tight, LONG, "100 101 100.95") == read("99.95 100.95 stop")


def test_a_trail_wider_than_the_price_moves_nothing() -> None:
    cheap = replace(LONG, entry_px=Decimal(3), first_stop=None)

    assert walk(POINTS, cheap, "3 4.95 6") == [None, None, Decimal(1)]


def test_a_chandelier_hangs_at_the_newest_true_range_and_rests_without_one() -> None:
    terms = ExitTerms(trail=Trail(distance=ranges(3), true_range=TrueRange(bars=14, minutes=15)))
    seen, state = [], FRESH
    for price, true_range in (
        ("110", None),
        ("110", "0"),
        ("110", "4"),
        ("110", "5"),
        ("110", "2"),
        ("103", "1"),
    ):
        known = None if true_range is None else Decimal(true_range)
        state, cause = advance(state, terms, LONG, price=Decimal(price), now=NOW, true_range=known)
        assert cause is None
        seen.append(stop_in_force(state, LONG))

    assert seen == read("90 90 98 98 104 104"), "narrower ranges tighten, wider ones loosen nothing"
    assert ExitTerms.from_mapping(terms.to_mapping()) == terms
    assert terms.trail is not None
    assert terms.trail.true_range is not None
    assert terms.trail.true_range.name == "atr:14"


def test_a_later_entry_that_changes_the_average_loosens_nothing() -> None:
    state, _ = advance(FRESH, EVEN, LONG, price=Decimal(106), now=NOW)
    cheaper = replace(LONG, entry_px=Decimal(98), first_stop=Decimal("88.20"))

    assert advance(state, EVEN, cheaper, price=Decimal(105), now=NOW)[0].stop_px == Decimal(100)


@pytest.mark.parametrize("terms", [POINTS, STEPS, PERCENT, SECURED, SHARE, EVERYTHING])
def test_terms_and_state_survive_the_store(terms: ExitTerms) -> None:
    state, _ = advance(replace(FRESH, signal_id=7), terms, LONG, price=Decimal("121.05"), now=NOW)

    assert ExitTerms.from_mapping(terms.to_mapping()) == terms
    assert ExitState.from_mapping(state.to_mapping()) == state
    assert ExitState.from_mapping(FRESH.to_mapping()) == FRESH


@pytest.mark.parametrize(
    "wrong",
    [
        ExitTerms,
        lambda: ExitTerms(time_stop_s=0),
        lambda: ExitTerms(time_stop_s=8 * 24 * 3600),
        lambda: points(0),
        lambda: fraction("NaN"),
        lambda: fraction(10),
        lambda: Distance(value=Decimal("Infinity"), unit=DistanceUnit.POINTS),
        lambda: Trail(distance=fraction(1)),
        lambda: Trail(distance=points(1), step=Decimal(-1)),
        lambda: Trail(distance=points(1), after=Decimal("NaN")),
        lambda: BreakEven(trigger=points(5), offset=Decimal(5)),
        lambda: BreakEven(trigger=points(5), offset=Decimal("-0.05")),
        lambda: Trail(distance=ranges(3)),
        lambda: Trail(distance=points(3), true_range=TrueRange(bars=14, minutes=15)),
        lambda: Trail(distance=ranges(3), true_range=TrueRange(bars=14, minutes=15), step=Decimal(1)),
        lambda: BreakEven(trigger=ranges(3)),
        lambda: ExitTerms(target=ranges(3)),
        lambda: ExitTerms.from_mapping({"tragets": {}}),
        lambda: ExitTerms.from_mapping({}),
    ],
)
def test_refuses_terms_that_mean_nothing(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(InvalidInputError, match="expected"):
        wrong()


def test_terms_that_are_not_written_are_no_rules() -> None:
    assert ExitTerms.from_mapping({"time_stop_s": 60}) == ExitTerms(time_stop_s=60)
    assert Trail(distance=points(5)).step == ZERO
