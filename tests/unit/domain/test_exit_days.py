"""Replay the four real NIFTY days with the seeded chain: every exit comes at its definition's moment."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from app.domain.exit_terms import BreakEven, Distance, DistanceUnit, ExitTerms, Trail, TrueRange, ranges
from app.domain.orders import Side
from app.domain.risk.exits import MOVE_AFTER_S, ExitMeans
from brokers.simulators.kotak.contracts import list_contracts
from brokers.simulators.kotak.minutes import IndexPath, load_minutes
from brokers.simulators.kotak.pricing import ChainPricer
from tests.exit_machine import ExitMachine
from tests.exit_oracle import Rules, leaves

_FOLDER = Path(__file__).parents[3] / "brokers/simulators/data/nse/nifty50_1m"
_EVERY_S = 15
_SESSION_S = 375 * 60
DAYS = [date(2019, 1, day) for day in (1, 2, 3, 4)]
ENTRIES_S = (300, 9300)
STOP = Fraction(25, 100)
ATR = TrueRange(bars=14, minutes=5)
Prices = list[tuple[int, int]]


@cache
def chain_of(day: date) -> dict[tuple[int, str], list[int]]:
    """Return the prices of the call and the put at the money of each entry, in paise, every few seconds."""
    path = IndexPath(load_minutes(_FOLDER, day), seed=1)
    pricer = ChainPricer(path, seed=1)
    moments = [path.opens + timedelta(seconds=s) for s in range(0, _SESSION_S, _EVERY_S)]
    contracts = list_contracts(day, path.price(path.opens))
    found: dict[tuple[int, str], list[int]] = {}
    for entry in ENTRIES_S:
        spot = path.price(path.opens + timedelta(seconds=entry)) / 100
        for right in ("CE", "PE"):
            near = min((c for c in contracts if c.right == right), key=lambda c: abs(c.strike - spot))
            found[entry, right] = [pricer.quote(near, at).ltp for at in moments]
    return found


def prices_after(day: date, entry_s: int, right: str) -> tuple[int, Prices]:
    """Return the entry price and what came after it."""
    prices = chain_of(day)[entry_s, right]
    first = entry_s // _EVERY_S
    later = prices[first + 1 :]
    return prices[first], [((i + 1) * _EVERY_S, price) for i, price in enumerate(later)]


def true_ranges(prices: Prices) -> tuple[int, ...]:
    """Return at each price the mean range of the last fourteen whole five-minute bars; 0 before there are."""
    per_bar = 300 // _EVERY_S
    closed = [prices[i : i + per_bar] for i in range(0, len(prices) - per_bar + 1, per_bar)]
    spans = [max(price for _, price in bar) - min(price for _, price in bar) for bar in closed]
    found = []
    for i in range(len(prices)):
        count = i // per_bar
        found.append(sum(spans[count - 14 : count]) // 14 if count >= 14 else 0)
    return tuple(found)


def rule_sets() -> Iterator[Rules]:
    """Yield every kind of exit, in points and fractions, alone and together."""
    base = Rules(sign=1, stop=STOP)
    share = replace(base, is_fraction=True)
    yield replace(base, target=Fraction(1200))
    yield replace(share, target=Fraction(20, 100))
    yield replace(base, trail=Fraction(800))
    yield replace(base, trail=Fraction(800), step=Fraction(300), after=Fraction(500))
    yield replace(share, trail=Fraction(12, 100))
    yield replace(share, trail=Fraction(10, 100), step=Fraction(2, 100), after=Fraction(8, 100))
    yield replace(base, chandelier=Fraction(3))
    yield replace(base, even=Fraction(1000))
    yield replace(share, even=Fraction(8, 100), secured=Fraction(3, 100))
    yield replace(base, time=10 * 60 + 3)
    yield replace(
        base,
        target=Fraction(4000),
        trail=Fraction(1500),
        even=Fraction(900),
        time=3 * 3600,
        secured=Fraction(100),
    )


def terms_of(rules: Rules) -> ExitTerms:
    """Return the same rules as the platform takes them."""
    unit = DistanceUnit.FRACTION if rules.is_fraction else DistanceUnit.POINTS

    def amount(value: Fraction) -> Decimal:
        in_rupees = value if rules.is_fraction else value / 100
        return Decimal(in_rupees.numerator) / Decimal(in_rupees.denominator)

    def distance(value: Fraction) -> Distance:
        return Distance(value=amount(value), unit=unit)

    if rules.chandelier is not None:
        return ExitTerms(trail=Trail(distance=ranges(int(rules.chandelier)), true_range=ATR))
    return ExitTerms(
        target=None if rules.target is None else distance(rules.target),
        trail=None
        if rules.trail is None
        else Trail(distance=distance(rules.trail), step=amount(rules.step), after=amount(rules.after)),
        break_even=None
        if rules.even is None
        else BreakEven(trigger=distance(rules.even), offset=amount(rules.secured)),
        time_stop_s=rules.time,
    )


def machine(entry: int, rules: Rules, terms: ExitTerms, **changes: object) -> ExitMachine:
    return ExitMachine(
        entry=Decimal(entry) / 100,
        side=Side.BUY if rules.sign > 0 else Side.SELL,
        terms=terms,
        stop_fraction=Decimal(rules.stop.numerator) / rules.stop.denominator,
        **changes,  # type: ignore[arg-type]  # checked by the constructor
    )


_IN_PLACE = ("changes in place", "moves late")
VENUES: dict[str, dict[str, object]] = {
    "changes in place": {"means": ExitMeans()},
    "moves late": {"means": ExitMeans(), "rested_share": 0.02},
    "cancels and places": {"means": ExitMeans(changes_in_place=False)},
    "rests no stops": {"means": ExitMeans(rests_stops=False)},
}


@pytest.mark.parametrize(
    ("day", "venue"), [(DAYS[i], venue) for i in range(4) for venue in VENUES if i < 2 or venue in _IN_PLACE]
)
def test_no_exit_is_earlier_or_later_than_its_definition(day: date, venue: str) -> None:
    causes: dict[str, int] = {}
    for rules in rule_sets():
        for entry_s in ENTRIES_S:
            for right in ("CE", "PE"):
                for sign in (1, -1):
                    mine = replace(rules, sign=sign)
                    entry, prices = prices_after(day, entry_s, right)
                    if mine.chandelier is not None:
                        mine = replace(mine, ranges=true_ranges(prices))
                    leg = machine(entry, mine, terms_of(mine), **VENUES[venue])
                    for i, (second, price) in enumerate(prices):
                        known = mine.ranges[i] if mine.ranges else 0
                        leg.see(
                            second, Decimal(price) / 100, true_range=Decimal(known) / 100 if known else None
                        )
                    expected = leaves(entry, prices, mine)
                    assert leg.left == expected, (mine, entry_s, right)
                    assert_only_tightens(leg)
                    why = "close" if expected is None else expected[1]
                    causes[why] = causes.get(why, 0) + 1
    assert {"stop", "target", "time_stop"} <= causes.keys(), causes


def assert_only_tightens(leg: ExitMachine) -> None:
    """The level in force and the order that follows it never go back, and orders rest a while each."""
    for levels in (leg.levels, [level for _, level in leg.moves]):
        assert levels == sorted(levels, reverse=leg.side is Side.SELL)
    if leg.means.changes_in_place:
        moments = [second for second, _ in leg.moves]
        assert all(b - a >= MOVE_AFTER_S for a, b in pairwise(moments))


@pytest.mark.parametrize("day", DAYS)
def test_the_other_leg_of_a_straddle_goes_to_its_entry_and_not_before(day: date) -> None:
    moved = 0
    for entry_s in ENTRIES_S:
        legs, paths = {}, {}
        rules = Rules(sign=-1, stop=Fraction(15, 100))
        for right in ("CE", "PE"):
            entry, paths[right] = prices_after(day, entry_s, right)
            legs[right] = machine(entry, rules, ExitTerms(follows_siblings=True))
        known: dict[str, int] = {}
        for (second, call), (_, put) in zip(paths["CE"], paths["PE"], strict=True):
            stopped = {right for right, leg in legs.items() if leg.left is not None}
            for right, price in (("CE", call), ("PE", put)):
                is_moved = bool(stopped - {right})
                if is_moved:
                    known.setdefault(right, second)
                legs[right].see(second, Decimal(price) / 100, is_sibling_stopped=is_moved)
        for right in ("CE", "PE"):
            entry, prices = prices_after(day, entry_s, right)
            alone = replace(rules, sibling_at=known.get(right))
            assert legs[right].left == leaves(entry, prices, alone), (entry_s, right)
        moved += bool(known)
    assert moved, "no leg of the day was ever stopped: nothing was tested"
