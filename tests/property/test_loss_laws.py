"""Check the laws of loss limits and combined rules for any course of profit and loss."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.domain.risk.breaches import LossRule
from app.domain.risk.combined import CombinedRules
from app.domain.risk.losses import LossRules, Sample, Standing, judge
from app.domain.risk.net_pnl import NetPnl

AT = datetime(2026, 11, 23, 5, 30, tzinfo=UTC)
paise = st.integers(-1_000_000, 1_000_000).map(lambda n: Decimal(n) / 100)
positive = st.integers(1, 500_000).map(lambda n: Decimal(n) / 100)
courses = st.lists(paise, min_size=1, max_size=30)


@st.composite
def combined_rules(draw: st.DrawFn) -> CombinedRules:
    keep, room, by, more = draw(positive), draw(positive), draw(positive), draw(positive)
    return CombinedRules(
        stop=draw(st.none() | positive),
        target=draw(st.none() | positive),
        lock_at=keep + room,
        lock_keep=keep,
        trail_step=by + more,
        trail_by=by,
    )


rules_of_a_scope = st.builds(
    LossRules,
    max_daily_loss=st.none() | positive,
    max_drawdown=st.none() | positive,
    combined=combined_rules(),
)


def standings(rules: LossRules, course: Sequence[Decimal]) -> list[tuple[Standing, LossRule | None]]:
    """Judge one sample a second."""
    standing, found = Standing(), []
    for number, pnl in enumerate(course):
        sample = Sample(as_of=AT + timedelta(seconds=number), net=NetPnl(unrealized=pnl))
        standing, breach = judge(standing, sample, rules)
        found.append((standing, None if breach is None else breach.rule))
    return found


@given(rules_of_a_scope, courses)
def test_no_rule_is_broken_on_one_sample(rules: LossRules, course: list[Decimal]) -> None:
    found = standings(rules, course)

    assert found[0][1] is None
    for (before, _), (after, rule) in pairwise(found):
        assert rule is None or rule in before.suspected & after.suspected


@given(rules_of_a_scope, courses)
def test_a_peak_never_falls_and_was_reached_twice_in_a_row(rules: LossRules, course: list[Decimal]) -> None:
    peaks = [standing.peak for standing, _ in standings(rules, course)]

    assert peaks == sorted(peaks)
    best = max((min(pair) for pair in pairwise(course)), default=Decimal(0))
    assert peaks[-1] == max(best, Decimal(0))


@given(combined_rules(), paise, positive)
def test_a_floor_never_falls_and_stays_under_the_peak(
    rules: CombinedRules, peak: Decimal, higher: Decimal
) -> None:
    floor, later = rules.floor(peak), rules.floor(peak + higher)

    assert (floor is None) == (peak < (rules.lock_at or 0))
    assert floor is None or (floor < peak and later is not None and floor <= later)


@given(rules_of_a_scope, st.lists(paise, min_size=2, max_size=4), paise)
def test_one_wrong_price_neither_closes_nor_moves_the_peak(
    rules: LossRules, levels: list[Decimal], wrong: Decimal
) -> None:
    """Each level is seen twice, so that a wrong price has good ones on both sides."""
    calm = [pnl for pnl in levels for _ in range(2)]
    before = standings(rules, calm[:2])
    after = standings(rules, [*calm[:2], wrong, *calm[:2]])

    if before[-1][0].suspected:
        return  # the good prices are beyond a rule by themselves
    assert {rule for _, rule in after} == {None}
    assert after[-1][0].peak == before[-1][0].peak
