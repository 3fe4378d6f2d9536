"""Which leg waits: what was bought leaves after what was sold on the same underlying, for a bounded time."""

from dataclasses import replace
from decimal import Decimal

import pytest

from app.domain.instruments import Instrument, OptionRight, index_id
from app.domain.risk.closing import HEDGE_WAITS_S, LeavingLeg, hedge_waits
from tests.builders import PERPETUAL, option

CALL, PUT = option(OptionRight.CALL), option(OptionRight.PUT)
FAR_CALL = option(OptionRight.CALL, strike=26200)


def _of_other_underlying() -> Instrument:
    assert CALL.option is not None
    return replace(CALL, option=replace(CALL.option, underlying=index_id("BANKNIFTY")))


def _leg(instrument: Instrument | None, quantity: int, *, is_being_sold: bool = False) -> LeavingLeg:
    return LeavingLeg(instrument=instrument, held_qty=Decimal(quantity), is_being_sold=is_being_sold)


WING = _leg(FAR_CALL, 65)


@pytest.mark.parametrize(
    ("leg", "others", "waits"),
    [
        (WING, [_leg(CALL, -65)], True),
        (WING, [_leg(PUT, -65)], True),
        (WING, [WING, _leg(CALL, -65)], True),
        (WING, [_leg(CALL, 0, is_being_sold=True)], True),
        (WING, [], False),
        (WING, [_leg(CALL, 0), _leg(PUT, 65)], False),
        (WING, [_leg(_of_other_underlying(), -65)], False),
        (WING, [_leg(None, -65)], False),
        (WING, [_leg(PERPETUAL, -1)], False),
        (_leg(CALL, -65), [_leg(PUT, -65)], False),
        (_leg(CALL, 0), [_leg(PUT, -65)], False),
        (_leg(PERPETUAL, 1), [_leg(PERPETUAL, -1)], False),
        (_leg(None, 65), [_leg(CALL, -65)], False),
    ],
    ids=[
        "a short call",
        "a short put",
        "itself is no matter",
        "a short that may yet be opened",
        "nothing else leaves",
        "what is flat or bought",
        "another underlying",
        "a short that no order can close",
        "no option",
        "the short itself",
        "nothing held",
        "a coin",
        "no contract of its own",
    ],
)
def test_a_bought_option_waits_for_the_shorts_of_its_underlying(
    leg: LeavingLeg,
    others: list[LeavingLeg],
    waits: bool,  # noqa: FBT001
) -> None:
    assert hedge_waits(leg, others, waited_s=0.0) is waits


@pytest.mark.parametrize(("waited_s", "waits"), [(HEDGE_WAITS_S - 0.01, True), (HEDGE_WAITS_S, False)])
def test_it_waits_for_a_bounded_time(waited_s: float, waits: bool) -> None:  # noqa: FBT001
    assert hedge_waits(WING, [_leg(CALL, -65)], waited_s=waited_s) is waits
