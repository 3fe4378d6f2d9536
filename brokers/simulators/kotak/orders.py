"""Describe an order, the states it went through and its fills; money in paise, quantities in units."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from brokers.simulators.kotak.contracts import Contract


class Status(StrEnum):
    """The broker's own words for `ordSt`."""

    RECEIVED = "put order req received"
    VALIDATION_PENDING = "validation pending"
    OPEN_PENDING = "open pending"
    OPEN = "open"
    TRIGGER_PENDING = "trigger pending"
    COMPLETE = "complete"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    CANCEL_PENDING = "cancel pending"
    MODIFY_VALIDATION = "modify validation pending"
    MODIFY_PENDING = "modify pending"
    MODIFIED = "modified"
    NOT_MODIFIED = "not modified"
    NOT_CANCELLED = "not cancelled"


TERMINAL = frozenset({Status.COMPLETE, Status.REJECTED, Status.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the client asked for: type L, MKT, SL or SL-M, validity DAY or IOC."""

    kind: str
    price: int
    trigger: int
    qty: int
    validity: str
    disclosed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderState:
    """One version of an order as the book, the history and the feed show it."""

    status: Status
    terms: Terms
    filled: int
    amount: int  # sum of price * quantity over the fills
    canceled: int
    reason: str
    shown_tag: str
    modifications: int
    stamp_ns: int
    at: datetime  # virtual
    real: float  # monotonic

    @property
    def average(self) -> int:
        """Return the average fill price, paise, rounded to the nearest."""
        return round(self.amount / self.filled) if self.filled else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution."""

    fill_id: str
    ucc: str
    number: str
    contract: Contract
    side: str
    product: str
    qty: int
    price: int
    shown_tag: str
    stamp_ns: int
    at: datetime
    real: float


@dataclass(slots=True, kw_only=True)
class Order:
    """One order: its identity, its versions (oldest first) and how the market treats it now."""

    ucc: str
    number: str
    exchange_number: str
    tag: str  # as the client gave it, "" when it gave none
    contract: Contract
    side: str  # B or S
    product: str
    placed_at: datetime
    placed_epoch: float
    states: list[OrderState] = field(default_factory=list)
    working: bool = False
    armed: bool = False  # a stop whose trigger has not been reached
    stalled: bool = False  # injected: rests and never fills until modified
    split: bool = False  # has had its partial fill
    paused: bool = False  # the rest of a partial fill is on its way, ticks do not match it
    part_forced: bool = False  # injected: the rest of a partial fill comes with the next tick
    canceling: bool = False
    by_human: bool = False  # placed in the broker's app, not through the API

    @property
    def state(self) -> OrderState:
        """Return the newest version."""
        return self.states[-1]

    @property
    def terms(self) -> Terms:
        """Return the terms in force."""
        return self.state.terms

    @property
    def leaves(self) -> int:
        """Return the quantity that may still fill."""
        return 0 if self.done else self.terms.qty - self.state.filled

    @property
    def done(self) -> bool:
        """Return whether the order has ended."""
        return self.state.status in TERMINAL

    @property
    def draw_key(self) -> str:
        """Return the name that seeded draws about this order use, independent of the order of arrival."""
        return self.tag or self.number

    def as_of(self, real: float) -> OrderState | None:
        """Return the version that was current at a monotonic instant, None if it was not there yet."""
        newest = None
        for state in self.states:
            if state.real > real:
                break
            newest = state
        return newest


Change = Callable[[OrderState], OrderState]


def with_fill(state: OrderState, qty: int, price: int) -> OrderState:
    """Return the version after a fill; it keeps the status unless nothing is left."""
    filled = state.filled + qty
    status = Status.COMPLETE if filled == state.terms.qty else state.status
    return replace(state, status=status, filled=filled, amount=state.amount + qty * price)
