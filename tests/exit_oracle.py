"""Say from the definitions alone when a position is left: whole price lists, whole paise, no states.

Written from docs/risk.md and for tests only. It shares no code with the platform: a level is not kept and
moved, but looked up in the list of prices for each moment anew. Only the step of a trail has a memory by its
definition, and is folded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

TICK = 5  # paise


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Rules in paise, or in fractions where `is_fraction`; None is no rule. `sign` is 1 for a long one."""

    sign: int
    stop: Fraction
    is_fraction: bool = False
    target: Fraction | None = None
    trail: Fraction | None = None
    step: Fraction = Fraction(0)
    after: Fraction = Fraction(0)
    chandelier: Fraction | None = None  # multiples of the true range as of each price
    ranges: tuple[int, ...] = ()  # paise; 0 is unknown
    even: Fraction | None = None
    secured: Fraction = Fraction(0)
    time: int | None = None
    sibling_at: int | None = None  # the moment from which on the other leg is known to be stopped


def leaves(entry: int, prices: Sequence[tuple[int, int]], rules: Rules) -> tuple[int, str] | None:
    """Return (moment, why) of the first moment at which the position is left.

    Args:
        entry: paise.
        prices: (moment in seconds since the fill, price in paise).
        rules: what was asked for.
    """
    for (at, price), (before, after) in zip(prices, stop_levels(entry, prices, rules), strict=True):
        if rules.sign * (price - before) <= 0:
            return at, "stop"
        if rules.target is not None and rules.sign * (price - entry) >= size(rules.target, entry, rules):
            return at, "target"
        if rules.time is not None and at >= rules.time:
            return at, "time_stop"
        if rules.sign * (price - after) <= 0:
            return at, "stop"
    return None


def stop_levels(entry: int, prices: Sequence[tuple[int, int]], rules: Rules) -> Iterator[tuple[int, int]]:
    """Yield the stop in force when each price came, and the one that this price has made of it."""
    level = first_level(entry, rules)
    best = entry
    for i, (at, price) in enumerate(prices):
        if is_sibling_known(rules, at):
            level = tighter(rules.sign, level, even_level(entry, rules.sign))
        before = level
        best = tighter(rules.sign, best, price)
        gain = rules.sign * (best - entry)
        if rules.even is not None and gain >= size(rules.even, entry, rules):
            secured = Fraction(entry) + rules.sign * size(rules.secured, entry, rules)
            level = tighter(rules.sign, level, near(best, secured, rules.sign))
        if rules.trail is not None and gain >= size(rules.after, entry, rules):
            wanted = near(best, best - rules.sign * size(rules.trail, best, rules), rules.sign)
            least = max(size(rules.step, entry, rules), Fraction(TICK))
            if rules.sign * (wanted - level) >= least and wanted > 0:
                level = wanted
        if rules.chandelier is not None and rules.ranges[i] > 0:
            wanted = near(best, best - rules.sign * rules.chandelier * rules.ranges[i], rules.sign)
            if wanted > 0:
                level = tighter(rules.sign, level, wanted)
        yield before, level


def is_sibling_known(rules: Rules, at: int) -> bool:
    """Say whether the other leg is known to be stopped."""
    return rules.sibling_at is not None and at >= rules.sibling_at


def first_level(entry: int, rules: Rules) -> int:
    """Return the first stop: the fraction of the entry, a tick from it at least."""
    return near(entry, entry * (1 - rules.sign * rules.stop), rules.sign)


def even_level(entry: int, sign: int) -> int:
    """Return the entry on the grid, towards the earlier exit."""
    return grid(Fraction(entry), sign)


def near(best: int, level: Fraction, sign: int) -> int:
    """Return a level on the grid towards the earlier exit, but a tick from the best price."""
    nearest = grid(Fraction(best), sign) - sign * TICK
    wanted = grid(level, sign)
    return min(wanted, nearest) if sign > 0 else max(wanted, nearest)


def grid(level: Fraction, sign: int) -> int:
    """Return the multiple of the tick above for a long position, below for a short one."""
    return (ceil(level / TICK) if sign > 0 else floor(level / TICK)) * TICK


def tighter(sign: int, one: int, other: int) -> int:
    """Return the higher price for a long position, the lower for a short one."""
    return max(one, other) if sign > 0 else min(one, other)


def size(amount: Fraction, price: int, rules: Rules) -> Fraction:
    """Return a distance in paise."""
    return amount * price if rules.is_fraction else amount
