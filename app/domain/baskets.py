"""Decide for the entries of one signal what may be sent, what must not, and what must be undone.

A signal's legs are wished together: hedge legs first as a barrier, then the legs that they cover; every leg
whole within its time, or all of it is undone. Slices of one leg count as one leg. Everything here follows
from the tables, so any holder of a lane may decide again at any time and finds the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from app.domain.orders import OrderStatus
from app.domain.risk.rules import DenialCode


class BasketResult(StrEnum):
    """Say how the entries of a signal ended.

    COMPLETE: every leg filled whole. PARTIAL: the one leg of a signal filled in part, which is kept.
    NOT_FILLED: nothing filled. UNWINDING: a leg failed, so what filled is being closed. UNWOUND: it is.
    """

    COMPLETE = "COMPLETE"
    PARTIAL = "PARTIAL"
    NOT_FILLED = "NOT_FILLED"
    UNWINDING = "UNWINDING"
    UNWOUND = "UNWOUND"


class LegState(StrEnum):
    """Say how far a leg has come; OPEN and LATE may still fill, an unknown outcome included."""

    OPEN = "OPEN"
    LATE = "LATE"
    FILLED = "FILLED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Show one order of a leg. `sent_ago_s`: real seconds since it was sent, None before."""

    order_id: int
    status: OrderStatus
    quantity: Decimal
    filled: Decimal
    sent_ago_s: float | None

    @property
    def is_unsent(self) -> bool:
        """Whether it still waits in the table."""
        return self.status is OrderStatus.INITIALIZED


@dataclass(frozen=True, slots=True, kw_only=True)
class BasketLeg:
    """Show one leg: its orders and what became of its position.

    `is_asked_flat`: somebody wants it closed. `holds`: its instrument is held.
    """

    index: int
    is_hedge: bool
    parts: tuple[Part, ...]
    is_asked_flat: bool
    holds: bool

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it is left: no order that may fill, no position."""
        return not self.holds and all(part.status.is_terminal for part in self.parts)

    def state(self, timeout_s: float) -> LegState:
        """Return how far the leg has come; its time runs from its first part."""
        if all(part.filled == part.quantity for part in self.parts):
            return LegState.FILLED
        if any(part.status.is_terminal and part.filled < part.quantity for part in self.parts):
            return LegState.FAILED
        ages = [part.sent_ago_s for part in self.parts if part.sent_ago_s is not None]
        return LegState.LATE if ages and max(ages) > timeout_s else LegState.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Basket:
    """Show all entries of a signal. `is_unwinding` is final: what failed once is never completed."""

    legs: tuple[BasketLeg, ...]
    timeout_s: float
    is_unwinding: bool

    @property
    def has_fills(self) -> bool:
        """Whether anything of it was filled."""
        return any(part.filled > 0 for leg in self.legs for part in leg.parts)

    @property
    def came_to_nothing(self) -> bool:
        """Whether all of it ended and nothing was filled: what is held in its instruments is not of it."""
        parts = (part for leg in self.legs for part in leg.parts)
        return not self.has_fills and all(part.status.is_terminal for part in parts)

    @property
    def is_complete(self) -> bool:
        """Whether every leg was filled whole."""
        return not self.is_unwinding and all(self._state(leg) is LegState.FILLED for leg in self.legs)

    @property
    def has_failed(self) -> bool:
        """Whether it can no longer become complete, so that what filled must be closed."""
        if self.is_unwinding:
            return True
        is_hopeless = any(leg.is_asked_flat for leg in self.legs) or bool(self.failed_legs)
        return len(self.legs) > 1 and not self.is_complete and is_hopeless

    @property
    def failed_legs(self) -> tuple[BasketLeg, ...]:
        """The legs that ended short or left others waiting too long, and the hedges that are gone again."""
        return tuple(leg for leg in self.legs if self._is_failed(leg))

    def why_held(self, index: int) -> str | None:
        """Return why no order of this leg may be sent now, or None."""
        leg = next(leg for leg in self.legs if leg.index == index)
        if leg.is_asked_flat:
            return "its leg shall be flat"
        if self.has_failed or any(self._state(each) is LegState.LATE for each in self.legs):
            return "another leg of its signal failed or is late"
        if not leg.is_hedge and not all(self._covers(hedge) for hedge in self.legs if hedge.is_hedge):
            return "its hedge legs are not filled yet"
        return None

    def _state(self, leg: BasketLeg) -> LegState:
        return leg.state(self.timeout_s)

    def _covers(self, hedge: BasketLeg) -> bool:
        return self._state(hedge) is LegState.FILLED and hedge.holds and not hedge.is_asked_flat

    def _is_failed(self, leg: BasketLeg) -> bool:
        """Whether a leg is lost. While nothing filled, a late one just stops the others: its cancel tells."""
        state = self._state(leg)
        if state is LegState.LATE:
            return self.has_fills
        return state is LegState.FAILED or (state is LegState.FILLED and leg.is_hedge and not leg.holds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Say what to do about a basket now.

    Args:
        result: what to record, None while nothing is decided.
        withheld: unsent orders that must never leave.
        denial: why not; None when somebody wants the position closed, so that they are canceled.
        flatten: indexes of the legs to be closed now, through the exits.
    """

    result: BasketResult | None
    withheld: frozenset[int] = frozenset()
    denial: DenialCode | None = None
    flatten: frozenset[int] = frozenset()


def settle(basket: Basket) -> Settlement:
    """Return what must be undone, and how the basket ended.

    A hedge is closed last: not while a leg that it covers is held or may still fill.
    """
    if basket.is_complete:
        return Settlement(result=BasketResult.COMPLETE)
    if not basket.has_failed:
        return _settle_one_leg(basket) if len(basket.legs) == 1 else Settlement(result=None)
    if basket.came_to_nothing and not basket.is_unwinding:
        return Settlement(result=BasketResult.NOT_FILLED)
    covered = [leg for leg in basket.legs if not leg.is_hedge]
    closing = basket.legs if all(leg.has_ended for leg in covered) else covered
    return Settlement(
        result=_result_of_failure(basket),
        withheld=_unsent(basket.legs),
        denial=_denial(basket),
        flatten=frozenset(leg.index for leg in closing if not leg.is_asked_flat),
    )


def _denial(basket: Basket) -> DenialCode | None:
    if not basket.failed_legs:
        return None
    is_hedge = any(leg.is_hedge for leg in basket.failed_legs)
    return DenialCode.HEDGE_NOT_FILLED if is_hedge else DenialCode.LEG_NOT_FILLED


def _settle_one_leg(basket: Basket) -> Settlement:
    """Leave what filled of a lone leg as it is: there is nothing that it would be incomplete without."""
    (leg,) = basket.legs
    if leg.is_asked_flat and (unsent := _unsent(basket.legs)):
        return Settlement(result=None, withheld=unsent)
    if not all(part.status.is_terminal for part in leg.parts):
        return Settlement(result=None)
    return Settlement(result=BasketResult.PARTIAL if basket.has_fills else BasketResult.NOT_FILLED)


def _result_of_failure(basket: Basket) -> BasketResult:
    if not all(leg.has_ended for leg in basket.legs):
        return BasketResult.UNWINDING
    return BasketResult.UNWOUND if basket.has_fills else BasketResult.NOT_FILLED


def _unsent(legs: Iterable[BasketLeg]) -> frozenset[int]:
    return frozenset(part.order_id for leg in legs for part in leg.parts if part.is_unsent)
