"""Check the append-only ledger and its audit."""

from dataclasses import replace
from decimal import Decimal

import pytest

from app.domain.errors import InvariantError
from app.domain.ids import OrderId
from app.domain.ledger import Ledger, LedgerEntry, breaches, fold_legs
from app.domain.orders import OrderRole, Side
from app.domain.positions import Leg
from tests.builders import CALL, DEPLOYMENT_ID, PUT

ENTRY = LedgerEntry(
    order_id=OrderId(1),
    deployment_id=DEPLOYMENT_ID,
    instrument_id=CALL.instrument_id,
    side=Side.SELL,
    role=OrderRole.ENTRY,
    quantity=Decimal(65),
    price=Decimal(100),
    cumulative_qty=Decimal(65),
)
MORE = replace(ENTRY, price=Decimal(98), cumulative_qty=Decimal(130))
EXIT = replace(
    ENTRY,
    order_id=OrderId(2),
    side=Side.BUY,
    role=OrderRole.EXIT,
    quantity=Decimal(130),
    cumulative_qty=Decimal(130),
)


def test_cash_and_legs_come_from_the_entries() -> None:
    ledger = Ledger().append(ENTRY).append(MORE).append(EXIT)

    assert ledger.filled_qty(OrderId(1)) == 130
    assert ledger.cash == Decimal(65 * 100 + 65 * 98 - 130 * 100)
    assert ledger.legs() == {
        (DEPLOYMENT_ID, CALL.instrument_id): Leg(
            entry_qty=Decimal(130), entry_value=Decimal(65 * 198), cash=Decimal(-130)
        )
    }


def test_legs_are_kept_apart_by_instrument() -> None:
    legs = fold_legs([ENTRY, replace(ENTRY, order_id=OrderId(3), instrument_id=PUT.instrument_id)])

    assert [leg.net_qty for leg in legs.values()] == [-65, -65]


@pytest.mark.parametrize("entry", [ENTRY, replace(MORE, cumulative_qty=Decimal(195))], ids=["twice", "gap"])
def test_refuses_a_step_twice_and_a_gap(entry: LedgerEntry) -> None:
    with pytest.raises(InvariantError, match="expected order 1 to go on from 65"):
        Ledger().append(ENTRY).append(entry)


@pytest.mark.parametrize(("quantity", "price"), [(0, 1), (66, 1), (65, 0)])
def test_refuses_an_entry_that_cannot_be(quantity: int, price: int) -> None:
    with pytest.raises(InvariantError, match="expected 0 < quantity <= cumulative"):
        replace(ENTRY, quantity=Decimal(quantity), price=Decimal(price))


def test_the_audit_finds_nothing_in_a_sound_ledger() -> None:
    filled = {OrderId(1): Decimal(130), OrderId(2): Decimal(130), OrderId(9): Decimal(0)}

    assert breaches([EXIT, MORE, ENTRY], filled) == ()


def test_the_audit_names_gaps_and_differences() -> None:
    filled = {OrderId(1): Decimal(130), OrderId(2): Decimal(65), OrderId(3): Decimal(65)}

    assert breaches([EXIT, MORE], filled) == (
        "order 1: expected booked steps to add up, got 65 that ends at 130 after 0",
        "order 2: expected 65 booked, got 130",
        "order 3: expected 65 booked, got 0",
    )
