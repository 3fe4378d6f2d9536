"""The leg's one exit order: placed, followed, changed into a marketable limit, withdrawn."""

from dataclasses import replace
from decimal import Decimal

import pytest

from app.domain.errors import InvariantError
from app.domain.instruments import Instrument
from app.domain.orders import OrderStatus, OrderType, Side
from app.domain.positions import Leg
from app.domain.risk.exits import (
    ANY_MEANS,
    AwaitExit,
    CancelExit,
    ChangeExit,
    ExitMeans,
    ExitStep,
    LiveExit,
    PlaceExit,
    WantedStop,
    WatchExit,
    exit_shares,
    exit_side,
    is_short_of_stop,
    next_exit_step,
)
from tests.builders import CALL, FOREX, PERPETUAL, tick

SHORT = Leg(net_qty=Decimal(-65), entry_qty=Decimal(65), entry_value=Decimal(6500), cash=Decimal(6500))
LONG = Leg(net_qty=Decimal(65), entry_qty=Decimal(65), entry_value=Decimal(6500), cash=Decimal(-6500))
FLAT = replace(SHORT, net_qty=Decimal(0))
STOP = Decimal("0.25")


def live(**changes: object) -> LiveExit:
    """The resting stop of SHORT."""
    resting = LiveExit(
        status=OrderStatus.ACCEPTED,
        side=Side.BUY,
        order_type=OrderType.STOP_LIMIT,
        quantity=Decimal(65),
        filled=Decimal(0),
        price=Decimal("127.50"),
        trigger_price=Decimal(125),
        chase_step=0,
        age_s=60.0,
    )
    return replace(resting, **changes)  # type: ignore[arg-type]  # names are checked by replace


def step(
    leg: Leg,
    exit_order: LiveExit | None,
    *,
    last: str | None = "100",
    stop: Decimal | None = STOP,
    moved_to: Decimal | None = None,
    due_s: float | None = None,
    wants_flat: bool = False,
    instrument: Instrument = CALL,
    means: ExitMeans = ANY_MEANS,
) -> ExitStep | None:
    """The next step at this price."""
    return next_exit_step(
        leg,
        exit_order,
        instrument=instrument,
        tick=None if last is None else tick(last),
        stop=None if stop is None else WantedStop(fraction=stop, moved_to=moved_to, due_s=due_s),
        wants_flat=wants_flat,
        means=means,
    )


def test_new_position_gets_its_stop() -> None:
    assert step(SHORT, None) == PlaceExit(
        order_type=OrderType.STOP_LIMIT,
        quantity=Decimal(65),
        price=Decimal("127.50"),
        trigger_price=Decimal(125),
    )


def test_stop_of_a_long_position_sells_below() -> None:
    placed = step(LONG, None)
    assert isinstance(placed, PlaceExit)
    assert placed.trigger_price == Decimal(75)
    assert placed.price is not None
    assert placed.price < Decimal(75)


@pytest.mark.parametrize(("stop", "is_watched"), [("0.30", False), ("0.80", True)])
def test_stop_beyond_the_venues_band_is_watched_by_us(stop: str, is_watched: bool) -> None:  # noqa: FBT001
    decided = step(SHORT, None, stop=Decimal(stop))
    assert isinstance(decided, WatchExit) is is_watched


def test_watched_stop_leaves_when_the_price_gets_there() -> None:
    placed = step(SHORT, None, stop=Decimal("0.80"), last="181")
    assert isinstance(placed, PlaceExit)
    assert placed.order_type is OrderType.LIMIT


def test_stop_needs_no_price() -> None:
    assert isinstance(step(SHORT, None, last=None), PlaceExit)


def test_position_without_wanted_stop_is_left_alone() -> None:
    assert step(SHORT, None, stop=None) is None


@pytest.mark.parametrize(("leg", "last"), [(SHORT, "125"), (SHORT, "140"), (LONG, "75"), (LONG, "60")])
def test_stop_level_already_passed_is_left_at_once(leg: Leg, last: str) -> None:
    placed = step(leg, None, last=last)
    assert isinstance(placed, PlaceExit)
    assert placed.order_type is OrderType.LIMIT
    assert placed.trigger_price is None


def test_square_off_without_a_stop_places_a_marketable_limit() -> None:
    placed = step(SHORT, None, wants_flat=True)
    assert isinstance(placed, PlaceExit)
    assert placed.order_type is OrderType.LIMIT
    assert placed.price is not None
    assert placed.price > Decimal(100)


def test_exit_waits_for_a_price() -> None:
    assert step(SHORT, None, last=None, wants_flat=True) is None
    assert step(SHORT, live(), last=None, wants_flat=True) is None


def test_square_off_changes_the_stop_itself() -> None:
    changed = step(SHORT, live(), wants_flat=True)
    assert isinstance(changed, ChangeExit)
    assert (changed.order_type, changed.trigger_price, changed.chase_step) == (OrderType.LIMIT, None, 0)
    assert changed.quantity == Decimal(65)


def test_partly_filled_stop_keeps_its_filled_part_in_the_quantity() -> None:
    half = replace(SHORT, net_qty=Decimal(-30))
    changed = step(half, live(filled=Decimal(35), status=OrderStatus.PARTIALLY_FILLED), wants_flat=True)
    assert isinstance(changed, ChangeExit)
    assert changed.quantity == Decimal(65)


def test_resting_stop_is_left_alone() -> None:
    assert step(SHORT, live()) is None


@pytest.mark.parametrize("status", [OrderStatus.SUBMITTED, OrderStatus.PENDING_UPDATE])
def test_nothing_is_done_while_a_request_is_in_flight(status: OrderStatus) -> None:
    assert step(SHORT, live(status=status, age_s=0.5), wants_flat=True) is None


def test_stop_grows_with_the_position() -> None:
    double = replace(SHORT, net_qty=Decimal(-130), entry_qty=Decimal(130), entry_value=Decimal(13260))
    changed = step(double, live())
    assert isinstance(changed, ChangeExit)
    assert changed.order_type is OrderType.STOP_LIMIT
    assert changed.quantity == Decimal(130)
    assert changed.trigger_price == Decimal("127.50"), "25 % above the average of 102"


def test_triggered_stop_is_not_resized() -> None:
    double = replace(SHORT, net_qty=Decimal(-130))
    assert step(double, live(status=OrderStatus.TRIGGERED)) is None


@pytest.mark.parametrize(("age_s", "is_chased"), [(1.9, False), (2.0, True)])
def test_stop_that_the_market_ran_through_becomes_marketable(age_s: float, is_chased: bool) -> None:  # noqa: FBT001
    changed = step(SHORT, live(status=OrderStatus.TRIGGERED, age_s=age_s), last="130")
    assert isinstance(changed, ChangeExit) is is_chased


@pytest.mark.parametrize(
    ("chase_step", "age_s", "is_chased"), [(0, 1.4, False), (0, 1.5, True), (5, 2.9, False), (5, 3.0, True)]
)
def test_unfilled_exit_is_chased_quickly_then_slowly(
    chase_step: int,
    age_s: float,
    is_chased: bool,  # noqa: FBT001
) -> None:
    resting = live(order_type=OrderType.LIMIT, trigger_price=None, chase_step=chase_step, age_s=age_s)
    changed = step(SHORT, resting, wants_flat=True)
    assert isinstance(changed, ChangeExit) is is_chased
    if isinstance(changed, ChangeExit):
        assert changed.chase_step == chase_step + 1


def test_each_chase_step_reaches_further() -> None:
    resting = live(order_type=OrderType.LIMIT, trigger_price=None)
    first, third = step(SHORT, resting), step(SHORT, replace(resting, chase_step=2))
    assert isinstance(first, ChangeExit)
    assert isinstance(third, ChangeExit)
    assert third.price > first.price


@pytest.mark.parametrize(
    "status", [OrderStatus.ACCEPTED, OrderStatus.TRIGGERED, OrderStatus.PARTIALLY_FILLED]
)
def test_exit_of_a_flat_leg_is_withdrawn(status: OrderStatus) -> None:
    assert step(FLAT, live(status=status)) == CancelExit()


def test_flat_leg_without_exit_needs_nothing() -> None:
    assert step(FLAT, None, wants_flat=True) is None


@pytest.mark.parametrize("leg", [FLAT, SHORT])
@pytest.mark.parametrize(("age_s", "is_repeated"), [(1.9, False), (2.0, True)])
def test_cancel_without_answer_is_repeated(leg: Leg, age_s: float, is_repeated: bool) -> None:  # noqa: FBT001
    asked = live(status=OrderStatus.PENDING_CANCEL, age_s=age_s)
    assert (step(leg, asked) == CancelExit()) is is_repeated


def test_flat_leg_has_no_exit_side() -> None:
    assert exit_side(SHORT) is Side.BUY
    with pytest.raises(InvariantError, match="flat leg"):
        exit_side(FLAT)


REPLACES = ExitMeans(changes_in_place=False)
WATCHES = ExitMeans(rests_stops=False)


def test_where_orders_do_not_change_the_stop_is_canceled_and_then_the_way_out_is_sent() -> None:
    assert step(SHORT, live(), wants_flat=True, means=REPLACES) == CancelExit()
    assert step(SHORT, live(status=OrderStatus.PENDING_CANCEL, age_s=0.1), means=REPLACES) is None
    placed = step(SHORT, None, wants_flat=True, means=REPLACES)
    assert isinstance(placed, PlaceExit)
    assert placed.order_type is OrderType.LIMIT


def test_where_orders_do_not_change_a_resting_stop_is_still_left_alone() -> None:
    assert step(SHORT, live(), means=REPLACES) is None
    assert step(SHORT, live(quantity=Decimal(130)), means=REPLACES) == CancelExit()


def test_where_no_stop_rests_the_price_is_watched() -> None:
    assert step(SHORT, None, means=WATCHES) == WatchExit()
    assert step(SHORT, None, last=None, means=WATCHES) is None  # nothing to watch: exposed
    placed = step(SHORT, None, last="126", means=WATCHES)
    assert isinstance(placed, PlaceExit)
    assert placed.order_type is OrderType.LIMIT


def test_forex_leaves_at_market_even_without_a_price() -> None:
    out = PlaceExit(order_type=OrderType.MARKET, quantity=Decimal(65), price=None, trigger_price=None)
    assert step(LONG, None, last=None, wants_flat=True, instrument=FOREX) == out
    assert step(LONG, None, last="74", instrument=FOREX) == out


def test_a_market_exit_that_does_not_fill_is_replaced_with_patience() -> None:
    waiting = live(order_type=OrderType.MARKET, trigger_price=None, age_s=0.1)
    assert step(SHORT, waiting, means=REPLACES, instrument=FOREX) is None
    assert step(SHORT, replace(waiting, age_s=60), means=REPLACES, instrument=FOREX) == CancelExit()


def test_stop_of_a_perpetual_beyond_the_venues_filter_is_watched() -> None:
    near = step(LONG, None, stop=Decimal("0.03"), instrument=PERPETUAL)
    assert isinstance(near, PlaceExit)
    assert (near.trigger_price, near.price) == (Decimal("97.0"), Decimal("96.8"))
    assert step(LONG, None, stop=Decimal("0.05"), instrument=PERPETUAL) == WatchExit()


def parts(**leaves: tuple[int, int]) -> dict[int, LiveExit]:
    """Live exits by part, given as (quantity, filled)."""
    return {int(k[1:]): live(quantity=Decimal(q), filled=Decimal(f)) for k, (q, f) in leaves.items()}


@pytest.mark.parametrize(
    ("net", "alive", "shares"),
    [
        (2925, parts(), {0: 1755, 1: 1170}),
        (-2925, parts(), {0: -1755, 1: -1170}),
        (2425, parts(p0=(1755, 500), p1=(1170, 0)), {0: 1255, 1: 1170}),
        (1170, parts(p1=(1170, 0)), {1: 1170}),
        (2925, parts(p1=(1170, 0)), {0: 1170, 1: 1755}),
        (2925, parts(p0=(1170, 0), p1=(1755, 0)), {0: 1170, 1: 1755}),
        (1755, parts(p0=(1755, 700)), {0: 1055, 1: 700}),
        (500, parts(p0=(1755, 0), p1=(1170, 0)), {0: 500, 1: 0}),
        (0, parts(p0=(65, 0)), {0: 0}),
        (0, parts(), {}),
    ],
)
def test_shares_a_position_above_the_freeze_quantity_between_orders(
    net: int, alive: dict[int, LiveExit], shares: dict[int, int]
) -> None:
    assert exit_shares(Decimal(net), alive, most=Decimal(1755)) == shares


def test_one_order_closes_everything_where_no_quantity_is_too_large() -> None:
    assert exit_shares(Decimal(-9000), {}, most=None) == {0: Decimal(-9000)}
    assert exit_shares(Decimal(9000), parts(p0=(65, 0)), most=None) == {0: Decimal(9000)}


def unanswered(**changes: object) -> LiveExit:
    return live(status=OrderStatus.SUBMITTED, **changes)


@pytest.mark.parametrize(
    ("last", "age_s", "expected"),
    [
        ("100", 1.0, WatchExit()),
        ("124.95", 60.0, WatchExit()),
        ("125", 1.0, AwaitExit()),
        ("125", 0.9, None),
        (None, 60.0, None),
    ],
)
def test_a_stop_that_nobody_answers_for_is_watched_until_the_market_reaches_it(
    last: str | None, age_s: float, expected: ExitStep | None
) -> None:
    assert step(SHORT, unanswered(age_s=age_s), last=last) == expected


def test_a_way_out_that_nobody_answers_for_is_watched_by_the_stop_of_the_entry() -> None:
    chase = unanswered(order_type=OrderType.LIMIT, trigger_price=None)
    assert step(SHORT, chase, wants_flat=True) == WatchExit()
    assert step(SHORT, chase, last="125", wants_flat=True) == AwaitExit()
    assert step(SHORT, chase, last="120", moved_to=Decimal(119), wants_flat=True) == AwaitExit()
    assert step(SHORT, chase, stop=None, wants_flat=True) is None, "it never had one"


HALF = replace(SHORT, net_qty=Decimal(-35))


@pytest.mark.parametrize(
    ("leg", "last", "stop", "is_short"),
    [
        (SHORT, "124.95", WantedStop(fraction=STOP), True),
        (SHORT, "125", WantedStop(fraction=STOP), False),
        (SHORT, "110", WantedStop(fraction=STOP, moved_to=Decimal(105)), False),
        (SHORT, "100", WantedStop(fraction=STOP, due_s=0.0), False),
        (SHORT, None, WantedStop(fraction=STOP), False),
        (SHORT, "100", None, False),
        (FLAT, "100", WantedStop(fraction=STOP), False),
    ],
)
def test_a_market_short_of_the_stop_leaves_an_order_nothing_to_do(
    leg: Leg,
    last: str | None,
    stop: WantedStop | None,
    is_short: bool,  # noqa: FBT001
) -> None:
    price = None if last is None else tick(last)
    assert is_short_of_stop(leg, instrument=CALL, tick=price, stop=stop) is is_short


def test_a_resting_stop_shrinks_with_a_leg_that_a_stranger_closed_in_part() -> None:
    changed = step(HALF, live(), last=None)
    assert isinstance(changed, ChangeExit)
    assert (changed.order_type, changed.quantity) == (OrderType.STOP_LIMIT, Decimal(35))


@pytest.mark.parametrize("status", [OrderStatus.TRIGGERED, OrderStatus.PARTIALLY_FILLED])
@pytest.mark.parametrize("last", ["126", None])
def test_an_exit_at_work_shrinks_at_once_whatever_the_price(status: OrderStatus, last: str | None) -> None:
    at_work = live(status=status, age_s=0.0)
    assert step(HALF, at_work, last=last) == ChangeExit(
        order_type=OrderType.LIMIT,
        quantity=Decimal(35),
        price=at_work.price,
        trigger_price=None,
        chase_step=0,
    )


def test_a_chase_without_a_price_still_shrinks() -> None:
    chase = live(order_type=OrderType.LIMIT, trigger_price=None, filled=Decimal(10), age_s=0.0)
    changed = step(HALF, chase, last=None, wants_flat=True)
    assert isinstance(changed, ChangeExit)
    assert changed.quantity == Decimal(45)


def test_an_exit_that_would_make_a_turned_position_larger_is_canceled() -> None:
    assert step(LONG, live(side=Side.BUY), wants_flat=True) == CancelExit()
    assert step(LONG, live(side=Side.BUY, status=OrderStatus.PENDING_UPDATE), wants_flat=True) is None


MOVED = Decimal("110.00")


@pytest.mark.parametrize(
    ("age_s", "means", "moves"),
    [
        (2.9, ANY_MEANS, False),
        (3.0, ANY_MEANS, True),
        (14.9, ExitMeans(changes_in_place=False), False),
        (15.0, ExitMeans(changes_in_place=False), True),
    ],
)
def test_a_moved_stop_takes_its_order_along_once_that_has_rested(
    age_s: float,
    means: ExitMeans,
    moves: bool,  # noqa: FBT001
) -> None:
    decided = step(SHORT, live(age_s=age_s), moved_to=MOVED, means=means)
    change = ChangeExit(
        order_type=OrderType.STOP_LIMIT,
        quantity=Decimal(65),
        price=Decimal("112.20"),
        trigger_price=MOVED,
        chase_step=0,
    )
    assert decided == ((change if means.changes_in_place else CancelExit()) if moves else None)


@pytest.mark.parametrize(("last", "leaves"), [("109.95", False), ("110", True), ("124", True)])
def test_a_market_that_is_back_at_the_moved_stop_is_left_without_a_rest(
    last: str,
    leaves: bool,  # noqa: FBT001
) -> None:
    changed = step(SHORT, live(age_s=0.1), moved_to=MOVED, last=last)
    assert isinstance(changed, ChangeExit) is leaves
    if isinstance(changed, ChangeExit):
        assert (changed.order_type, changed.quantity) == (OrderType.LIMIT, Decimal(65))


@pytest.mark.parametrize(("last", "moves"), [("80.15", True), ("80.10", False)])
def test_a_moved_stop_beyond_the_venues_band_stays_where_it_rests_and_is_watched(
    last: str,
    moves: bool,  # noqa: FBT001
) -> None:
    """The limit of 112.20 may lie 40 % from the last price; the level of 110 is watched until it may."""
    assert isinstance(step(SHORT, live(), moved_to=MOVED, last=last), ChangeExit) is moves
    assert isinstance(step(SHORT, live(), moved_to=MOVED, last=last, due_s=0.0), ChangeExit)


@pytest.mark.parametrize("trigger", ["110", "109.95"])
def test_a_stop_that_rests_at_the_moved_level_or_closer_is_left_to_the_venue(trigger: str) -> None:
    there = live(trigger_price=Decimal(trigger), price=Decimal("112.20"))
    assert step(SHORT, there, moved_to=MOVED, last="109") is None
    assert step(SHORT, there, moved_to=MOVED, last="111") is None


@pytest.mark.parametrize("status", [OrderStatus.TRIGGERED, OrderStatus.PENDING_UPDATE])
def test_a_stop_that_triggered_or_is_being_changed_is_not_moved(status: OrderStatus) -> None:
    assert step(SHORT, live(status=status), moved_to=MOVED) is None


def test_a_new_stop_is_placed_where_the_rules_have_moved_it() -> None:
    placed = step(SHORT, None, moved_to=MOVED)
    assert isinstance(placed, PlaceExit)
    assert (placed.trigger_price, placed.price) == (MOVED, Decimal("112.20"))


def test_a_moved_stop_that_is_looser_than_the_first_one_moves_nothing() -> None:
    assert step(SHORT, live(), moved_to=Decimal(130)) is None
    placed = step(SHORT, None, moved_to=Decimal(130))
    assert isinstance(placed, PlaceExit)
    assert placed.trigger_price == Decimal(125)


def test_a_moved_stop_that_is_watched_leaves_when_the_price_gets_there() -> None:
    assert step(SHORT, None, moved_to=MOVED, last="109.95", means=WATCHES) == WatchExit()
    placed = step(SHORT, None, moved_to=MOVED, last="110", means=WATCHES)
    assert isinstance(placed, PlaceExit)
    assert placed.order_type is OrderType.LIMIT


def test_a_moved_stop_of_a_long_position_follows_upwards_only() -> None:
    below = live(side=Side.SELL, trigger_price=Decimal(75), price=Decimal("72.75"))
    changed = step(LONG, below, moved_to=Decimal(95))
    assert isinstance(changed, ChangeExit)
    assert changed.trigger_price == Decimal(95)
    assert step(LONG, below, moved_to=Decimal(70)) is None


def test_a_stop_that_was_due_leaves_even_if_the_market_has_turned() -> None:
    looser, placed = step(SHORT, live(age_s=0.1), moved_to=MOVED, due_s=0.0), step(SHORT, None, due_s=0.0)
    assert isinstance(looser, ChangeExit)
    assert isinstance(placed, PlaceExit)
    assert looser.order_type is placed.order_type is OrderType.LIMIT


def test_a_stop_that_was_due_and_cannot_be_priced_rests_at_its_level() -> None:
    moved, placed = (
        step(SHORT, live(), moved_to=MOVED, due_s=9.0, last=None),
        step(SHORT, None, last=None, due_s=9),
    )
    assert isinstance(moved, ChangeExit)
    assert isinstance(placed, PlaceExit)
    assert (moved.trigger_price, placed.trigger_price) == (MOVED, Decimal(125))


@pytest.mark.parametrize(("due_s", "leaves"), [(1.9, False), (2.0, True)])
def test_a_stop_at_its_level_that_the_venue_does_not_trigger_leaves_soon(
    due_s: float,
    leaves: bool,  # noqa: FBT001
) -> None:
    changed = step(SHORT, live(), due_s=due_s)
    assert (isinstance(changed, ChangeExit) and changed.order_type is OrderType.LIMIT) is leaves
