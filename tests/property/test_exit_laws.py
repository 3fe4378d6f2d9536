"""Check the laws of exits for any prices and rules: at the definition's moment, once, and never looser."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.domain.exit_terms import BreakEven, ExitTerms, Trail, points
from app.domain.orders import Side
from app.domain.risk.exit_rules import ExitState, Holding, advance
from app.domain.risk.exits import ANY_MEANS, MOVE_AFTER_S, ExitMeans
from tests.builders import NOW
from tests.exit_machine import ExitMachine
from tests.exit_oracle import Rules, leaves

paise = st.integers(1, 4000).map(Fraction)
maybe = st.none() | paise


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    even = draw(maybe)
    secured = Fraction(0) if even is None else draw(st.integers(0, int(even) - 1).map(Fraction))
    found = Rules(
        sign=draw(st.sampled_from([1, -1])),
        stop=Fraction(draw(st.integers(1, 60)), 100),
        target=draw(maybe),
        trail=draw(maybe),
        step=draw(st.just(Fraction(0)) | paise),
        after=draw(st.just(Fraction(0)) | paise),
        even=even,
        secured=secured,
        time=draw(st.none() | st.integers(1, 120)),
        sibling_at=draw(st.none() | st.integers(1, 120)),
    )
    if (found.target, found.trail, found.even, found.time, found.sibling_at) == (None,) * 5:
        found = replace(found, time=60)
    return found


def terms_of(rules: Rules) -> ExitTerms:
    def rupees(amount: Fraction) -> Decimal:
        return Decimal(int(amount)) / 100

    return ExitTerms(
        target=None if rules.target is None else points(rupees(rules.target)),
        trail=None
        if rules.trail is None
        else Trail(distance=points(rupees(rules.trail)), step=rupees(rules.step), after=rupees(rules.after)),
        break_even=None
        if rules.even is None
        else BreakEven(trigger=points(rupees(rules.even)), offset=rupees(rules.secured)),
        time_stop_s=rules.time,
        follows_siblings=rules.sibling_at is not None,
    )


# Averages of fills lie off the grid, prices on it.
entries = st.integers(2000, 20000)
moves = st.lists(st.tuples(st.integers(1, 6), st.integers(-60, 60)), min_size=1, max_size=40)
means = st.sampled_from([ANY_MEANS, ExitMeans(changes_in_place=False), ExitMeans(rests_stops=False)])


def path_of(entry: int, moves: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return (second, paise) of a walk on the grid around an entry."""
    at, price, path = 0, round(entry / 5) * 5, []
    for seconds, ticks in moves:
        at, price = at + seconds, max(5, price + 5 * ticks)
        path.append((at, price))
    return path


@given(entries, moves, rules(), means, st.sampled_from([1.0, 0.3]))
def test_any_position_is_left_once_at_the_moment_of_its_definition(
    entry: int, moves: list[tuple[int, int]], rules: Rules, means: ExitMeans, rested_share: float
) -> None:
    path = path_of(entry, moves)
    leg = ExitMachine(
        entry=Decimal(entry) / 100,
        side=Side.BUY if rules.sign > 0 else Side.SELL,
        terms=terms_of(rules),
        stop_fraction=Decimal(rules.stop.numerator) / rules.stop.denominator,
        means=means,
        rested_share=rested_share,
    )
    for second, price in path:
        known = rules.sibling_at is not None and second >= rules.sibling_at
        leg.see(second, Decimal(price) / 100, is_sibling_stopped=known)

    assert leg.left == leaves(entry, path, rules)
    for levels in (leg.levels, [level for _, level in leg.moves]):
        assert levels == sorted(levels, reverse=leg.side is Side.SELL), "a stop was loosened"
    if means.changes_in_place:
        assert all(b - a >= MOVE_AFTER_S for (a, _), (b, _) in pairwise(leg.moves)), "moved too often"


@given(entries, moves, rules())
def test_what_is_seen_twice_or_after_a_restart_changes_nothing(
    entry: int, moves: list[tuple[int, int]], rules: Rules
) -> None:
    held = Holding(
        side=Side.BUY if rules.sign > 0 else Side.SELL,
        entry_px=Decimal(entry) / 100,
        tick_size=Decimal("0.05"),
    )
    terms, state = terms_of(rules), ExitState(opened_at=NOW)
    for _, price in path_of(entry, moves):
        once, cause = advance(state, terms, held, price=Decimal(price) / 100, now=NOW)
        restored = ExitState.from_mapping(once.to_mapping())
        assert restored == once
        if cause is None:
            assert advance(restored, terms, held, price=Decimal(price) / 100, now=NOW) == (once, None)
        state = once
