"""Advance the exit rules of one leg by one observation: what the stop's level is, and whether to leave.

Pure and idempotent: the same observation twice changes nothing the second time. A level only ever
tightens. Nothing here is an order: the leg's one live exit (I6) is brought to the level, or turned into
the way out, by `app.domain.risk.exits`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from app.domain.exit_terms import BreakEven, Distance, ExitTerms, Trail
from app.domain.numbers import ZERO, Rounding, round_to_step
from app.domain.orders import Side


class ExitCause(StrEnum):
    """Name why a leg leaves that no stop took out; it becomes the leg's exit reason."""

    TARGET = "target"
    TIME_STOP = "time_stop"


class StopRule(StrEnum):
    """Name the rule that put the stop where it is."""

    TRAIL = "trail"
    BREAK_EVEN = "break_even"
    SIBLING = "sibling"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitState:
    """Hold what the rules remember of one position, from its first fill until it is flat.

    `stop_px` is the level that a rule has set, None while the first stop stands; `stop_rule` says which.
    `followed_sibling` says that the move to the entry was made, `due_at` when the price was seen at the stop
    in force: whatever the price does then, the position leaves. `signal_id` opened the position;
    `earlier_qty` and `earlier_value` are the leg's entries of the day before it, not in its average.
    """

    opened_at: datetime
    signal_id: int | None = None
    earlier_qty: Decimal = ZERO
    earlier_value: Decimal = ZERO
    best_px: Decimal | None = None
    stop_px: Decimal | None = None
    stop_rule: StopRule | None = None
    followed_sibling: bool = False
    due_at: datetime | None = None

    def to_mapping(self) -> dict[str, Any]:
        """Return the state for the store, as JSON with exact numbers in text."""
        return {
            "opened_at": self.opened_at.isoformat(),
            "signal_id": self.signal_id,
            "earlier_qty": str(self.earlier_qty),
            "earlier_value": str(self.earlier_value),
            "best_px": None if self.best_px is None else str(self.best_px),
            "stop_px": None if self.stop_px is None else str(self.stop_px),
            "stop_rule": self.stop_rule,
            "followed_sibling": self.followed_sibling,
            "due_at": None if self.due_at is None else self.due_at.isoformat(),
        }

    @classmethod
    def from_mapping(cls, stored: Mapping[str, Any]) -> "ExitState":
        """Read what `to_mapping` wrote."""
        best, level, rule = stored["best_px"], stored["stop_px"], stored["stop_rule"]
        due = stored["due_at"]
        return cls(
            opened_at=datetime.fromisoformat(stored["opened_at"]),
            signal_id=stored["signal_id"],
            earlier_qty=Decimal(stored["earlier_qty"]),
            earlier_value=Decimal(stored["earlier_value"]),
            best_px=None if best is None else Decimal(best),
            stop_px=None if level is None else Decimal(level),
            stop_rule=None if rule is None else StopRule(rule),
            followed_sibling=stored["followed_sibling"],
            due_at=None if due is None else datetime.fromisoformat(due),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Show the position that the rules guard.

    `side` is that of its entry, `entry_px` the average of its own entry fills; `first_stop` is the level
    that its stop fraction gives, None without one.
    """

    side: Side
    entry_px: Decimal
    tick_size: Decimal
    first_stop: Decimal | None = None

    def gain(self, price: Decimal) -> Decimal:
        """Return what a price is better than the entry, in points."""
        return self.side.sign * (price - self.entry_px)

    def is_better(self, price: Decimal, other: Decimal | None) -> bool:
        """Whether a price is further in the position's favour; so also whether a stop there is tighter."""
        return other is None or self.side.sign * (price - other) > 0


def stop_in_force(state: ExitState, holding: Holding) -> Decimal | None:
    """Return the level at which the position is stopped: the tighter of its first stop and the moved one."""
    moved, first = state.stop_px, holding.first_stop
    return moved if moved is not None and holding.is_better(moved, first) else first


def advance(
    state: ExitState,
    terms: ExitTerms,
    holding: Holding,
    *,
    price: Decimal | None,
    now: datetime,
    is_sibling_stopped: bool = False,
    true_range: Decimal | None = None,
) -> tuple[ExitState, ExitCause | None]:
    """Return the state after one observation, and why the leg shall be left, if it shall.

    Where the price is at the stop in force, the stop is due and nothing else is any more: it is not moved,
    and neither target nor time are asked.

    Args:
        state: what is remembered.
        terms: the rules.
        holding: the position.
        price: the last price of a fresh mark that is not older than the position; None without one.
        now: the platform's time.
        is_sibling_stopped: whether another leg of the signal was stopped since.
        true_range: the newest value of the trail's true range; without a positive one such a trail rests.
    """
    if state.due_at is not None:
        return state, None
    if is_sibling_stopped and terms.follows_siblings and not state.followed_sibling:
        entry = _on_grid(holding.entry_px, holding)
        state = replace(_moved(state, holding, entry, StopRule.SIBLING), followed_sibling=True)
    if price is not None and _is_at_stop(state, holding, price):
        return replace(state, due_at=now), None
    if price is not None and _has_reached(terms.target, price, holding):
        return state, ExitCause.TARGET
    if terms.time_stop_s is not None and now - state.opened_at >= timedelta(seconds=terms.time_stop_s):
        return state, ExitCause.TIME_STOP
    if price is None or not terms.moves_stops:
        return state, None
    best = _best(state, holding, price)
    state = state if best == state.best_px else replace(state, best_px=best)
    state = _move_stop(state, terms, holding, best=best, true_range=true_range)
    return (replace(state, due_at=now) if _is_at_stop(state, holding, price) else state), None


def _is_at_stop(state: ExitState, holding: Holding, price: Decimal) -> bool:
    level = stop_in_force(state, holding)
    return level is not None and not holding.is_better(price, level)


def _has_reached(target: Distance | None, price: Decimal, holding: Holding) -> bool:
    return target is not None and holding.gain(price) >= target.of(holding.entry_px)


def _best(state: ExitState, holding: Holding, price: Decimal) -> Decimal:
    known = holding.entry_px if state.best_px is None else state.best_px
    return price if holding.is_better(price, known) else known


def _move_stop(
    state: ExitState, terms: ExitTerms, holding: Holding, *, best: Decimal, true_range: Decimal | None
) -> ExitState:
    if terms.break_even is not None:
        level = _break_even_level(terms.break_even, best, holding)
        state = _moved(state, holding, level, StopRule.BREAK_EVEN)
    if terms.trail is not None:
        level = _trail_level(terms.trail, best, holding, true_range)
        step = terms.trail.distance.scaled(terms.trail.step, holding.entry_px)
        state = _moved(state, holding, level, StopRule.TRAIL, step=step)
    return state


def _moved(
    state: ExitState, holding: Holding, level: Decimal | None, rule: StopRule, *, step: Decimal = ZERO
) -> ExitState:
    """Return the state with a tighter level, or the same where it would not tighten by a step and a tick."""
    if level is None:
        return state
    before = stop_in_force(state, holding)
    if before is not None and holding.side.sign * (level - before) < max(step, holding.tick_size):
        return state
    return replace(state, stop_px=level, stop_rule=rule)


def _break_even_level(rule: BreakEven, best: Decimal, holding: Holding) -> Decimal | None:
    if holding.gain(best) < rule.trigger.of(holding.entry_px):
        return None
    offset = rule.trigger.scaled(rule.offset, holding.entry_px)
    return _below(best, holding.entry_px + holding.side.sign * offset, holding)


def _trail_level(rule: Trail, best: Decimal, holding: Holding, true_range: Decimal | None) -> Decimal | None:
    if holding.gain(best) < rule.distance.scaled(rule.after, holding.entry_px):
        return None
    distance = rule.distance.of(best)
    if rule.true_range is not None:
        if true_range is None or true_range <= 0:
            return None
        distance = rule.distance.value * true_range
    return _below(best, best - holding.side.sign * distance, holding)


def _on_grid(level: Decimal, holding: Holding) -> Decimal:
    """Move a level onto the grid towards the earlier exit."""
    rounding = Rounding.UP if holding.side is Side.BUY else Rounding.DOWN
    return round_to_step(level, holding.tick_size, rounding)


def _below(best: Decimal, level: Decimal, holding: Holding) -> Decimal | None:
    """Put a level on the grid, a tick from the best price at least, where it would go off at once.

    None where no positive price is left for it.
    """
    nearest = _on_grid(best, holding) - holding.side.sign * holding.tick_size
    wanted = _on_grid(level, holding)
    found = nearest if holding.is_better(wanted, nearest) else wanted
    return found if found > 0 else None
