"""Prove what loss limits judge: profit and loss after charges, and how well these are known."""

from decimal import Decimal

import pytest

from app.domain.risk.net_pnl import NetPnl


def test_net_is_what_charges_leave() -> None:
    # The golden vectors of an option of 65 units, sold at 100 and bought at 80, without brokerage.
    pnl = NetPnl(
        realized=Decimal(1300), unrealized=Decimal("-10.5"), charges=Decimal("12.48") + Decimal("2.34")
    )

    assert pnl.net == Decimal("1274.68")
    assert NetPnl().net == 0


def test_what_holding_brought_is_a_negative_charge() -> None:
    assert NetPnl(realized=Decimal(5), charges=Decimal(-3)).net == 8


@pytest.mark.parametrize(
    ("estimated", "uncharged", "is_estimated", "formula"),
    [
        (0, 0, False, "realized 1 + unrealized -2 - charges 0.5"),
        (3, 0, True, "realized 1 + unrealized -2 - charges 0.5 (estimated)"),
        (0, 2, True, "realized 1 + unrealized -2 - charges 0.5 (without those of 2 orders)"),
        (3, 2, True, "realized 1 + unrealized -2 - charges 0.5 (estimated, without those of 2 orders)"),
    ],
)
def test_charges_that_the_broker_did_not_tell_are_said_to_be_estimated(
    *, estimated: int, uncharged: int, is_estimated: bool, formula: str
) -> None:
    pnl = NetPnl(
        realized=Decimal(1),
        unrealized=Decimal(-2),
        charges=Decimal("0.5"),
        estimated=estimated,
        uncharged=uncharged,
    )

    assert (pnl.is_estimated, pnl.formula) == (is_estimated, formula)
