"""Values of legs: exact, and honest when a price is missing."""

from dataclasses import dataclass
from decimal import Decimal

from app.services.pnl import add_up, value_leg


@dataclass(frozen=True, kw_only=True)
class _Leg:
    instrument_id: str = "X"
    net_qty: Decimal
    entry_px: Decimal
    cash: Decimal


SHORT = _Leg(net_qty=Decimal(-75), entry_px=Decimal("142.20"), cash=Decimal("10665.00"))
CLOSED = _Leg(net_qty=Decimal(0), entry_px=Decimal("142.20"), cash=Decimal("-2666.25"))
HALF = _Leg(
    net_qty=Decimal(-50), entry_px=Decimal(100), cash=Decimal(9950)
)  # sold 100 at 100, bought 50 at 1


def test_a_short_leg_gains_when_the_price_falls() -> None:
    value = value_leg(SHORT, {"X": Decimal("100.00")})

    assert (value.total, value.unrealized, value.realized) == (Decimal(3165), Decimal(3165), Decimal(0))


def test_a_partly_closed_leg_splits_into_realized_and_unrealized() -> None:
    value = value_leg(HALF, {"X": Decimal(90)})

    assert (value.realized, value.unrealized, value.total) == (Decimal(4950), Decimal(500), Decimal(5450))


def test_a_closed_leg_needs_no_price() -> None:
    assert value_leg(CLOSED, {}).total == Decimal("-2666.25")


def test_an_open_leg_without_a_price_is_left_out_and_counted() -> None:
    total = add_up([value_leg(SHORT, {}), value_leg(CLOSED, {})])

    assert (total.total, total.unmarked) == (Decimal("-2666.25"), 1)
