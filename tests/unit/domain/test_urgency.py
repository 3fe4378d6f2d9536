"""Check how an exit that is late is pressed harder, and when a person and the broker come in."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from app.domain.orders import OrderStatus, OrderType, Side
from app.domain.positions import Leg
from app.domain.pricing import marketable_limit, protected_distance
from app.domain.risk.exits import (
    ANY_MEANS,
    CHASE_AFTER_S,
    CHASE_STEPS,
    CancelExit,
    ChangeExit,
    ExitMeans,
    LiveExit,
    PlaceExit,
    next_exit_step,
)
from app.domain.risk.urgency import HARDER_STEP, Urgency, next_overdue_step, urgency_of
from tests.builders import CALL, FOREX, NOW, tick

SHORT = Leg(net_qty=Decimal(-65), entry_qty=Decimal(65), entry_value=Decimal(6500), cash=Decimal(6500))
MINUTE = timedelta(minutes=1)


def live(*, chase_step: int = 0, age_s: float = CHASE_AFTER_S, **changes: object) -> LiveExit:
    """A limit that buys the position back and is not filled."""
    exit_ = LiveExit(
        status=OrderStatus.ACCEPTED,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(65),
        filled=Decimal(0),
        price=Decimal(101),
        trigger_price=None,
        chase_step=chase_step,
        age_s=age_s,
    )
    return replace(exit_, **changes)  # type: ignore[arg-type]  # a test builder


def overdue(exit_: LiveExit | None, *, last: str | None = "100", means: ExitMeans = ANY_MEANS) -> object:
    price = None if last is None else tick(last)
    return next_overdue_step(SHORT, exit_, instrument=CALL, tick=price, means=means)


@pytest.mark.parametrize(
    ("reason", "waited_s", "broker_in", "expected"),
    [
        ("square_off", 59.9, MINUTE, Urgency.USUAL),
        ("square_off", 60.0, MINUTE, Urgency.HARDER),
        ("square_off", 179.9, MINUTE, Urgency.HARDER),
        ("square_off", 180.0, MINUTE, Urgency.PERSON),
        ("square_off", 180.0, None, Urgency.PERSON),
        ("square_off", 0.0, timedelta(0), Urgency.BROKER),
        ("square_off", 999.0, timedelta(0), Urgency.BROKER),
        ("expiry_square_off", 180.0, None, Urgency.PERSON),
        ("short_in_the_money", 180.0, None, Urgency.PERSON),
        ("blackout", 180.0, None, Urgency.PERSON),
        ("close", 180.0, None, Urgency.PERSON),
        ("target", 999.0, timedelta(0), Urgency.USUAL),
        ("kill switch", 999.0, timedelta(0), Urgency.USUAL),
        (None, 999.0, timedelta(0), Urgency.USUAL),
    ],
)
def test_what_the_clock_asked_for_becomes_urgent_step_by_step(
    reason: str | None, waited_s: float, broker_in: timedelta | None, expected: Urgency
) -> None:
    broker_at = None if broker_in is None else NOW + broker_in

    found = urgency_of(reason, is_due=False, waited_s=waited_s, now=NOW, broker_at=broker_at)
    assert found is expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("target", Urgency.PERSON), ("kill switch", Urgency.PERSON), (None, Urgency.USUAL)],
)
def test_what_was_asked_to_leave_before_its_time_is_urgent_from_then_on(
    reason: str | None, expected: Urgency
) -> None:
    assert urgency_of(reason, is_due=True, waited_s=180.0, now=NOW) is expected


def test_a_person_is_told_of_the_last_two_steps() -> None:
    assert [step for step in Urgency if step.needs_person] == [Urgency.PERSON, Urgency.BROKER]


def test_an_overdue_exit_is_priced_twice_as_far_from_the_market() -> None:
    wide = marketable_limit(Side.BUY, tick("100"), instrument=CALL, step=HARDER_STEP)
    usual = marketable_limit(Side.BUY, tick("100"), instrument=CALL, step=CHASE_STEPS)

    assert overdue(live(chase_step=7)) == ChangeExit(
        order_type=OrderType.LIMIT,
        quantity=Decimal(65),
        price=wide,
        trigger_price=None,
        chase_step=8,
    )
    assert (wide - 100) == 2 * (usual - 100)
    assert overdue(None) == PlaceExit(
        order_type=OrderType.LIMIT, quantity=Decimal(65), price=wide, trigger_price=None
    )


def test_an_overdue_exit_stays_within_what_the_venue_takes() -> None:
    step = overdue(live(), last="4")

    assert isinstance(step, ChangeExit)
    assert step.price <= 4 + protected_distance(Decimal(4))


def test_an_overdue_exit_follows_the_market_without_becoming_slower() -> None:
    patient = live(chase_step=CHASE_STEPS, age_s=CHASE_AFTER_S)

    usual = next_exit_step(SHORT, patient, instrument=CALL, tick=tick("100"), stop=None, wants_flat=True)

    assert usual is None
    assert isinstance(overdue(patient), ChangeExit)
    assert overdue(live(age_s=CHASE_AFTER_S - 0.1)) is None


def test_a_resting_stop_is_turned_into_a_wide_way_out() -> None:
    stop = live(order_type=OrderType.STOP_LIMIT, trigger_price=Decimal(125), price=Decimal(130), age_s=60.0)

    step = overdue(stop)

    assert isinstance(step, ChangeExit)
    assert step.price == marketable_limit(Side.BUY, tick("100"), instrument=CALL, step=HARDER_STEP)


def test_without_a_price_at_market_or_where_nothing_can_change_the_usual_step_is_taken() -> None:
    assert overdue(None, last=None) is None
    assert overdue(live(), means=ExitMeans(changes_in_place=False)) == CancelExit()
    assert overdue(live(side=Side.SELL)) == CancelExit()
    at_market = next_overdue_step(
        SHORT, None, instrument=FOREX, tick=tick("1.1", instrument=FOREX), means=ANY_MEANS
    )
    assert isinstance(at_market, PlaceExit)
    assert at_market.order_type is OrderType.MARKET
