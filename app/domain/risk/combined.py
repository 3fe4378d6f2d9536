"""Watch the profit and loss of a whole deployment: stop, target, locked profit, and a floor that trails.

The floor of a locked profit never falls. With `peak` the highest confirmed profit of the day,

    floor = keep                                          once peak >= lock_at
    floor = keep + whole_steps(peak - lock_at) * trail_by  with a trail, whole_steps counting `trail_step`s

and the rule is broken when the profit is at the floor or under it. Source: the overall stop loss, target,
"lock" and "lock and trail" settings of Indian strategy builders (peers.md 2.7).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from app.domain.errors import InvalidInputError
from app.domain.numbers import parse_exact
from app.domain.risk.breaches import Breach, LossRule

COMBINED_NAMES = frozenset(
    {
        "combined_stop",
        "combined_target",
        "combined_lock_at",
        "combined_lock_keep",
        "combined_trail_step",
        "combined_trail_by",
    }
)
"""How a deployment's settings name the rules, beside its limits."""
_MAY_BE_ZERO = "combined_lock_keep"
_PREFIX = "combined_"


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinedRules:
    """Hold the rules of one deployment, amounts in the currency of its account; None means not set.

    Attributes:
        stop: loss at which the deployment leaves.
        target: profit at which it leaves.
        lock_at, lock_keep: once the profit has reached the first, it leaves at the second.
        trail_step, trail_by: for each step of profit beyond `lock_at` the kept profit grows by the second.
    """

    stop: Decimal | None = None
    target: Decimal | None = None
    lock_at: Decimal | None = None
    lock_keep: Decimal | None = None
    trail_step: Decimal | None = None
    trail_by: Decimal | None = None

    def __post_init__(self) -> None:
        _demand_pair("lock_at", self.lock_at, "lock_keep", self.lock_keep)
        _demand_pair("trail_step", self.trail_step, "trail_by", self.trail_by)
        if self.lock_at is not None and self.lock_keep is not None and self.lock_keep >= self.lock_at:
            raise InvalidInputError(
                "combined_lock_keep: expected less than combined_lock_at, "
                f"got {self.lock_keep} of {self.lock_at}"
            )
        if self.trail_step is not None and self.trail_by is not None:
            if self.lock_at is None:
                raise InvalidInputError("combined_trail_step: expected combined_lock_at beside it")
            if self.trail_by > self.trail_step:
                raise InvalidInputError(
                    "combined_trail_by: expected at most combined_trail_step, the floor would overtake the "
                    f"profit, got {self.trail_by} of {self.trail_step}"
                )

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> "CombinedRules":
        """Read the rules out of a deployment's settings; what has other names is left to others.

        Raises:
            InvalidInputError: a value that is not exact or not positive, or rules that contradict each other.
        """
        return cls(
            **{
                name.removeprefix(_PREFIX): _amount(name, values[name])
                for name in sorted(COMBINED_NAMES & values.keys())
            }
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is watched."""
        return self.stop is None and self.target is None and self.lock_at is None

    def floor(self, peak: Decimal) -> Decimal | None:
        """Return the profit that is kept at a peak of profit, None before the profit is locked."""
        if self.lock_at is None or self.lock_keep is None or peak < self.lock_at:
            return None
        if self.trail_step is None or self.trail_by is None:
            return self.lock_keep
        return self.lock_keep + (peak - self.lock_at) // self.trail_step * self.trail_by

    def breaches(self, pnl: Decimal, peak: Decimal) -> Iterator[Breach]:
        """Yield what a profit and loss breaks, with the peak of the same count."""
        if self.stop is not None and pnl <= -self.stop:
            yield _breach(LossRule.COMBINED_STOP, self.stop, pnl, f"<= -{self.stop:f}")
        if self.target is not None and pnl >= self.target:
            yield _breach(LossRule.COMBINED_TARGET, self.target, pnl, f">= {self.target:f}")
        floor = self.floor(peak)
        if floor is not None and pnl <= floor:
            yield _breach(LossRule.COMBINED_LOCK, floor, pnl, f"<= floor {floor:f} at peak {peak:f}")


def _breach(rule: LossRule, limit: Decimal, pnl: Decimal, comparison: str) -> Breach:
    return Breach(rule=rule, limit=limit, value=pnl, formula=f"net profit and loss {pnl:f} {comparison}")


def _amount(name: str, value: object) -> Decimal:
    amount = parse_exact(name, value)
    if amount < 0 or (amount == 0 and name != _MAY_BE_ZERO):
        raise InvalidInputError(f"{name}: expected a positive number, got {amount}")
    return amount


def _demand_pair(one: str, first: Decimal | None, other: str, second: Decimal | None) -> None:
    if (first is None) != (second is None):
        raise InvalidInputError(f"combined_{one}, combined_{other}: expected both or none of them")
