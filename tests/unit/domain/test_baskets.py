"""What may be sent of a signal, what must not, what is undone, and how it ends."""

from dataclasses import replace
from decimal import Decimal

import pytest

from app.domain.baskets import Basket, BasketLeg, BasketResult, Part, settle
from app.domain.orders import OrderStatus
from app.domain.risk.rules import DenialCode

_S = OrderStatus
LOT = Decimal(65)


def part(status: OrderStatus, *, number: int = 0, filled: int = 0, sent_ago_s: float = 1) -> Part:
    """One order of a lot."""
    return Part(
        order_id=number,
        status=status,
        quantity=LOT,
        filled=LOT if status is _S.FILLED else Decimal(filled),
        sent_ago_s=None if status is _S.INITIALIZED else sent_ago_s,
    )


def leg(
    *parts: Part, is_hedge: bool = False, is_asked_flat: bool = False, holds: bool | None = None
) -> BasketLeg:
    """A leg that holds what it filled, unless said otherwise. `index` is given by `basket`."""
    return BasketLeg(
        index=0,
        is_hedge=is_hedge,
        parts=parts,
        is_asked_flat=is_asked_flat,
        holds=any(p.filled for p in parts) if holds is None else holds,
    )


def hedge(*parts: Part, is_asked_flat: bool = False, holds: bool | None = None) -> BasketLeg:
    """A leg that must be filled before the others."""
    return leg(*parts, is_hedge=True, is_asked_flat=is_asked_flat, holds=holds)


def basket(*legs: BasketLeg, is_unwinding: bool = False) -> Basket:
    """Legs with ten seconds each."""
    numbered = tuple(replace(one, index=index) for index, one in enumerate(legs))
    return Basket(legs=numbered, timeout_s=10, is_unwinding=is_unwinding)


UNSENT, FILLED = part(_S.INITIALIZED, number=9), part(_S.FILLED)
REJECTED, WORKING = part(_S.REJECTED), part(_S.ACCEPTED)
LATE = part(_S.ACCEPTED, sent_ago_s=10.5)


@pytest.mark.parametrize(
    "hedges",
    [
        [hedge(UNSENT)],
        [hedge(WORKING)],
        [hedge(part(_S.SUBMITTED, sent_ago_s=9))],  # an unknown outcome included
        [hedge(part(_S.PARTIALLY_FILLED, filled=30))],
        [hedge(FILLED), hedge(WORKING)],
        [hedge(FILLED, WORKING)],
        [hedge(FILLED, holds=False)],
        [hedge(FILLED, is_asked_flat=True)],
    ],
)
def test_holds_what_is_covered_until_every_hedge_is_filled_and_held(hedges: list[BasketLeg]) -> None:
    assert basket(*hedges, leg(UNSENT)).why_held(len(hedges)) is not None


def test_lets_hedges_go_at_once_and_the_others_after_them() -> None:
    assert basket(hedge(UNSENT), leg(UNSENT)).why_held(0) is None
    assert basket(hedge(FILLED), hedge(FILLED, FILLED), leg(UNSENT)).why_held(2) is None
    assert basket(leg(UNSENT), leg(UNSENT)).why_held(1) is None


@pytest.mark.parametrize(
    "failed", [REJECTED, LATE, part(_S.CANCELED, filled=30), part(_S.SUBMITTED, sent_ago_s=11)]
)
def test_withholds_everything_after_a_failed_hedge_and_unwinds_the_other(failed: Part) -> None:
    wings = basket(hedge(failed), hedge(FILLED), leg(UNSENT))

    settlement = settle(wings)

    assert wings.why_held(2) == "another leg of its signal failed or is late"
    assert settlement.result is BasketResult.UNWINDING
    assert (settlement.withheld, settlement.denial) == (frozenset({9}), DenialCode.HEDGE_NOT_FILLED)
    assert settlement.flatten == {2}, "the hedges wait until nothing that they cover can fill"
    denied = basket(hedge(failed), hedge(FILLED), leg(part(_S.DENIED), is_asked_flat=True), is_unwinding=True)
    assert settle(denied).flatten == {0, 1}


def test_closes_a_hedge_only_after_what_it_covers() -> None:
    def closing(*covered: BasketLeg) -> frozenset[int]:
        return settle(basket(hedge(FILLED), *covered, is_unwinding=True)).flatten

    gone = leg(FILLED, is_asked_flat=True, holds=False)
    assert closing(leg(FILLED, is_asked_flat=True), gone) == frozenset()
    assert closing(leg(part(_S.SUBMITTED, sent_ago_s=900), is_asked_flat=True), gone) == frozenset()
    assert closing(gone, leg(REJECTED, is_asked_flat=True)) == {0}


@pytest.mark.parametrize("other", [REJECTED, LATE, part(_S.PARTIALLY_FILLED, filled=30, sent_ago_s=11)])
def test_unwinds_a_straddle_of_which_one_leg_failed(other: Part) -> None:
    settlement = settle(basket(leg(FILLED), leg(other)))

    assert (settlement.result, settlement.flatten) == (BasketResult.UNWINDING, frozenset({0, 1}))


def test_a_late_leg_alone_stops_the_others_and_leaves_the_word_to_its_cancel() -> None:
    """Nothing is known to be filled: the news may be what is late, and both may turn out whole."""
    late = basket(leg(LATE), leg(UNSENT))

    assert settle(basket(leg(LATE), leg(LATE))).result is None
    assert (settle(late).result, late.why_held(1)) == (None, "another leg of its signal failed or is late")


def test_counts_slices_as_one_leg() -> None:
    assert settle(basket(leg(FILLED, FILLED), leg(FILLED))).result is BasketResult.COMPLETE
    assert settle(basket(leg(FILLED, WORKING), leg(FILLED))).result is None
    assert settle(basket(leg(FILLED, REJECTED), leg(FILLED))).result is BasketResult.UNWINDING
    late = basket(leg(part(_S.FILLED, sent_ago_s=11), WORKING), leg(FILLED))
    assert settle(late).result is BasketResult.UNWINDING, "the leg's time runs from its first part"


def test_never_completes_what_failed_once() -> None:
    assert settle(basket(leg(FILLED), leg(FILLED), is_unwinding=True)).result is BasketResult.UNWINDING


def test_ends_when_nothing_is_left() -> None:
    gone = leg(FILLED, is_asked_flat=True, holds=False)
    assert settle(basket(gone, leg(REJECTED), is_unwinding=True)).result is BasketResult.UNWOUND
    assert settle(basket(leg(REJECTED), leg(part(_S.DENIED)))).result is BasketResult.NOT_FILLED


def test_what_is_held_already_is_not_closed_by_a_signal_that_came_to_nothing() -> None:
    denied, canceled = part(_S.DENIED), part(_S.CANCELED)
    for other in (denied, REJECTED, canceled):
        settlement = settle(basket(leg(denied, holds=True), leg(other, holds=True)))
        assert (settlement.result, settlement.flatten) == (BasketResult.NOT_FILLED, frozenset())
    assert settle(basket(leg(denied, holds=True), leg(WORKING, holds=True))).flatten == {0, 1}
    assert settle(basket(leg(denied, holds=True), leg(half_filled(), holds=True))).flatten == {0, 1}


def half_filled() -> Part:
    return part(_S.CANCELED, filled=30)


def test_keeps_what_filled_of_a_lone_leg() -> None:
    half = part(_S.CANCELED, filled=30)

    assert settle(basket(leg(half))) == settle(basket(leg(half, REJECTED)))
    assert (settle(basket(leg(half))).result, settle(basket(leg(half))).flatten) == (
        BasketResult.PARTIAL,
        frozenset(),
    )
    assert settle(basket(leg(REJECTED))).result is BasketResult.NOT_FILLED
    assert settle(basket(leg(LATE))).result is None
    assert basket(leg(REJECTED, UNSENT)).why_held(0) is None


def test_cancels_what_is_unsent_of_a_leg_that_somebody_wants_flat() -> None:
    for asked in (
        basket(leg(UNSENT, is_asked_flat=True)),
        basket(leg(FILLED), leg(UNSENT, is_asked_flat=True)),
    ):
        settlement = settle(asked)
        assert asked.why_held(len(asked.legs) - 1) == "its leg shall be flat"
        assert (settlement.withheld, settlement.denial) == (frozenset({9}), None)
