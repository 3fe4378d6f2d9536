"""Check that sums of money come out to the last digit."""

from decimal import Decimal

import pytest

from app.domain.orders import OrderRole, Side
from app.domain.positions import Leg, amount, apply_fill, fill_step, pnl


def test_a_thousand_small_fills_add_up_exactly() -> None:
    leg = Leg()
    for _ in range(1000):
        leg = apply_fill(
            leg, side=Side.SELL, quantity=Decimal(65), price=Decimal("0.10"), role=OrderRole.ENTRY
        )

    assert leg.cash == Decimal(6500)
    assert leg.entry_px == Decimal("0.10")
    assert pnl(leg, Decimal("0.05")) == Decimal(3250)


def test_a_step_with_an_endless_price_books_exact_cash() -> None:
    step = fill_step(Decimal(65), Decimal(100), reported_filled=Decimal(260), reported_avg=Decimal("100.01"))

    assert step is not None
    quantity, price = step
    assert quantity * price != amount(quantity, price)  # the price has no last digit
    assert amount(Decimal(65), Decimal(100)) + amount(quantity, price) == Decimal(260) * Decimal("100.01")


@pytest.mark.parametrize("quantity", [1, 3, 7, 65, 1755, 100_000])
def test_amounts_lie_on_the_grid_of_the_store(quantity: int) -> None:
    value = amount(Decimal(quantity), Decimal(100) / Decimal(7))

    assert value == value.quantize(Decimal("0.000001"))
