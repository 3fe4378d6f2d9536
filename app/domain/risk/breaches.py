"""Name the rules on profit and loss that close and lock a scope, and say how one was broken."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class LossRule(StrEnum):
    """Name a rule on the profit and loss of a scope."""

    MAX_DAILY_LOSS = "MAX_DAILY_LOSS"
    MAX_DRAWDOWN = "MAX_DRAWDOWN"
    COMBINED_STOP = "COMBINED_STOP"
    COMBINED_TARGET = "COMBINED_TARGET"
    COMBINED_LOCK = "COMBINED_LOCK"

    @property
    def is_limit(self) -> bool:
        """Whether a person must hear of it: a limit was reached. The others are plans of a strategy."""
        return self in (LossRule.MAX_DAILY_LOSS, LossRule.MAX_DRAWDOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """Say which rule is broken, by which value against which limit, and the formula in numbers."""

    rule: LossRule
    limit: Decimal
    value: Decimal
    formula: str
