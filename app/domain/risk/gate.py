"""Stand between wishes and orders: only what this gate approved can be submitted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar, final

from app.domain.errors import InvariantError
from app.domain.orders import OrderIntent
from app.domain.risk import account_rules, protections, rules, time_rules
from app.domain.risk.limits import RiskLimits
from app.domain.risk.rules import Case, DenialCode, EntryRule, Refusal, reduce_only
from app.domain.risk.state import RiskState

T = TypeVar("T")

ENTRY_RULES: Final[tuple[EntryRule, ...]] = (
    rules.trading_state,
    rules.session_open,
    time_rules.before_square_off,
    time_rules.not_expiring,
    time_rules.no_blackout,
    rules.signal_fresh,
    account_rules.symbol_allowed,
    rules.daily_loss,
    protections.stop_guard,
    protections.losing_trades,
    protections.trade_drawdown,
    protections.low_profit,
    account_rules.cooled_down,
    rules.not_duplicate,
    account_rules.no_self_cross,
    account_rules.one_direction,
    rules.outcome_known,
    rules.data_fresh,
    rules.quantity_allowed,
    rules.price_in_band,
    rules.order_notional,
    rules.account_notional,
    account_rules.underlying_notional,
    account_rules.margin_covered,
    rules.open_positions,
    account_rules.open_orders,
    account_rules.orders_per_day,
    rules.order_rate,
)
"""The first one that refuses decides."""


@final
class _Seal:
    """Prove that the gate itself builds an approval."""

    __slots__ = ()


_SEAL: Final = _Seal()


@final
class Approved(Generic[T]):
    """Carry a value that passed the gate; `submit(Approved[OrderIntent])` cannot be called without it."""

    __slots__ = ("_value",)

    def __init__(self, value: T, *, seal: _Seal) -> None:
        if seal is not _SEAL:
            raise InvariantError("an approval can only come from the risk gate")
        self._value = value

    @property
    def value(self) -> T:
        """What was approved."""
        return self._value

    def __repr__(self) -> str:
        return f"Approved({self._value!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """Carry an order that was refused, with a stable code and a sentence for people."""

    intent: OrderIntent
    code: DenialCode
    message: str

    @property
    def remedy(self) -> str:
        """What a person can do about it."""
        return self.code.remedy


def evaluate(
    intent: OrderIntent, state: RiskState, *, limits: RiskLimits, now: datetime
) -> Approved[OrderIntent] | Denied:
    """Judge one order: the first rule that refuses decides; exits meet `reduce_only` and nothing else.

    Args:
        intent: the order as it would be sent.
        state: the account of the order, with everything approved before it.
        limits: the limits of its deployment.
        now: the platform's time, on the same clock as `intent.valid_until`.
    """
    refusal = _refusal(intent, state, limits=limits, now=now)
    if refusal is None:
        return Approved(intent, seal=_SEAL)
    return Denied(intent=intent, code=refusal.code, message=refusal.message)


def _refusal(intent: OrderIntent, state: RiskState, *, limits: RiskLimits, now: datetime) -> Refusal | None:
    if intent.role.is_exit:
        return reduce_only(intent, state)
    case = Case(intent=intent, state=state, limits=limits, now=now)
    return next((refusal for rule in ENTRY_RULES if (refusal := rule(case)) is not None), None)
