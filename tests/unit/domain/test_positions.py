"""Check how fills become legs and money."""

from decimal import Decimal

import pytest

from app.domain.errors import InvariantError
from app.domain.orders import OrderRole, Side
from app.domain.positions import Leg, apply_fill, fill_step, pnl, realized_pnl, unrealized_pnl


def d(text: str) -> Decimal:
    return Decimal(text)


def sold(quantity: int, price: str, leg: Leg | None = None) -> Leg:
    return apply_fill(
        leg or Leg(), side=Side.SELL, quantity=Decimal(quantity), price=d(price), role=OrderRole.ENTRY
    )


def bought_back(leg: Leg, quantity: int, price: str, role: OrderRole = OrderRole.EXIT) -> Leg:
    return apply_fill(leg, side=Side.BUY, quantity=Decimal(quantity), price=d(price), role=role)


def test_an_empty_leg_is_flat_and_worth_nothing() -> None:
    assert Leg().is_flat
    assert Leg().exit_side is None
    assert Leg().entry_px == 0
    assert pnl(Leg(), d("100")) == 0


def test_an_entry_opens_the_leg() -> None:
    leg = sold(65, "90", sold(65, "100"))

    assert leg == Leg(
        net_qty=Decimal(-130), entry_qty=Decimal(130), entry_value=Decimal(12350), cash=Decimal(12350)
    )
    assert leg.entry_px == 95
    assert leg.exit_side is Side.BUY


def test_a_long_leg_is_closed_by_selling() -> None:
    leg = apply_fill(Leg(), side=Side.BUY, quantity=Decimal(65), price=Decimal(10), role=OrderRole.ENTRY)

    assert (leg.exit_side, leg.cash) == (Side.SELL, Decimal(-650))


def test_pnl_splits_into_realized_and_unrealized() -> None:
    leg = bought_back(sold(130, "100"), 65, "90")

    assert realized_pnl(leg) == 650
    assert unrealized_pnl(leg, d("120")) == -1300
    assert pnl(leg, d("120")) == -650


def test_only_a_stop_marks_the_leg_as_stopped() -> None:
    leg = sold(65, "100")

    assert not bought_back(leg, 65, "125").is_stopped
    assert bought_back(leg, 65, "125", OrderRole.STOP) == Leg(
        entry_qty=Decimal(65), entry_value=Decimal(6500), cash=Decimal(-1625), is_stopped=True
    )


def test_a_stopped_leg_stays_marked() -> None:
    stopped = bought_back(sold(130, "100"), 65, "125", OrderRole.STOP)

    assert bought_back(stopped, 65, "126").is_stopped


@pytest.mark.parametrize(
    ("quantity", "price"), [("0", "1"), ("1", "0"), ("-1", "1"), ("NaN", "1"), ("1", "Infinity")]
)
def test_a_fill_needs_positive_numbers(quantity: str, price: str) -> None:
    with pytest.raises(InvariantError, match="expected positive quantity and price"):
        apply_fill(Leg(), side=Side.BUY, quantity=d(quantity), price=d(price), role=OrderRole.ENTRY)


def step(before: tuple[str, str | None], now: tuple[str, str | None]) -> tuple[Decimal, Decimal] | None:
    return fill_step(
        d(before[0]),
        None if before[1] is None else d(before[1]),
        reported_filled=d(now[0]),
        reported_avg=None if now[1] is None else d(now[1]),
    )


def test_the_first_report_is_the_first_step() -> None:
    assert step(("0", None), ("65", "100.05")) == (d("65"), d("100.05"))


def test_a_later_report_yields_the_difference() -> None:
    assert step(("65", "100"), ("130", "95")) == (d("65"), d("90"))


@pytest.mark.parametrize("now", [("0", None), ("0", "0"), ("65", "100"), ("130", "95"), ("130", "95.01")])
def test_repeated_and_older_reports_yield_nothing(now: tuple[str, str | None]) -> None:
    assert step(("130", "95"), now) is None


def test_refuses_a_report_that_contradicts_the_booked_one() -> None:
    with pytest.raises(InvariantError, match=r"130 were booked at an average of 95, now come at 95\.02"):
        step(("130", "95"), ("130", "95.02"))


def test_refuses_a_step_below_zero() -> None:
    with pytest.raises(InvariantError, match="the new step would be worth"):
        step(("65", "100"), ("130", "40"))


def test_rounded_averages_of_cheap_options_do_not_stop_the_booking() -> None:
    # 1000 at 0.075 is reported as 0.08, then 75 more at 0.05 as 0.07: the difference is negative.
    assert step(("1000", "0.08"), ("1075", "0.07")) == (d("75"), d("0.000001"))


@pytest.mark.parametrize("average", [None, "0", "-1", "NaN"])
def test_refuses_a_fill_without_a_price(average: str | None) -> None:
    with pytest.raises(InvariantError, match="expected a positive average price"):
        step(("0", None), ("65", average))


@pytest.mark.parametrize("filled", ["-1", "NaN"])
def test_refuses_a_quantity_that_is_none(filled: str) -> None:
    with pytest.raises(InvariantError, match="expected a quantity from zero"):
        step(("0", None), (filled, "1"))
