"""Every difference between the two books is found, and equal books show none."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from app.db.outcomes import OrderOutcome
from app.demo.evidence import Comparison, compare

OURS = OrderOutcome(
    order_id=1,
    client_order_id="ob1",
    account_id=7,
    user="u001",
    deployment="straddle",
    signal_key="entry",
    leg=0,
    part=0,
    attempt=0,
    instrument_id="NIFTY-CE",
    symbol="NIFTYCE",
    side="SELL",
    role="ENTRY",
    order_type="LIMIT",
    quantity=Decimal(65),
    price=Decimal("10.00"),
    reason="",
    status="FILLED",
    denial_code=None,
    broker_order_id="B1",
    filled_qty=Decimal(65),
    avg_px=Decimal("10.05"),
    is_unknown=False,
    was_unknown=False,
    was_sent=True,
)
THEIRS: Mapping[str, Any] = {
    "client": "OB001",
    "broker_order_id": "B1",
    "tag": "ob1",
    "filled": 65,
    "avg_px": "10.05",
}
POSITION: Mapping[str, Any] = {"client": "OB001", "symbol": "NIFTYCE", "bought": 65, "sold": 65}
TRADED = {(7, "NIFTYCE"): (Decimal(65), Decimal(65))}


def books(
    *,
    ours: list[OrderOutcome] | None = None,
    theirs: list[Mapping[str, Any]] | None = None,
    position: Mapping[str, Any] | None = None,
    traded: Mapping[tuple[int, str], tuple[Decimal, Decimal]] | None = None,
) -> Comparison:
    return compare(
        [OURS] if ours is None else ours,
        TRADED if traded is None else traded,
        orders=[THEIRS] if theirs is None else theirs,
        positions=[POSITION if position is None else position],
        clients={7: "OB001"},
    )


def test_equal_books_show_no_difference() -> None:
    assert books() == Comparison()


def test_two_broker_orders_for_one_intent_are_a_duplicate() -> None:
    found = books(theirs=[THEIRS, {**THEIRS, "broker_order_id": "B2"}])

    assert len(found.duplicates) == 1
    assert "B1, B2" in found.duplicates[0]


def test_an_order_of_ours_that_our_ledger_does_not_know_is_a_duplicate() -> None:
    assert len(books(theirs=[THEIRS, {**THEIRS, "tag": "ob2", "broker_order_id": "B2"}]).duplicates) == 1


def test_an_order_without_our_tag_is_lost_from_our_ledger() -> None:
    assert len(books(theirs=[THEIRS, {**THEIRS, "tag": "", "broker_order_id": "B2"}]).lost) == 1


@pytest.mark.parametrize("status", ["ACCEPTED", "FILLED", "CANCELED"])
def test_an_order_that_the_broker_never_saw_is_lost(status: str) -> None:
    assert len(books(ours=[replace(OURS, status=status)], theirs=[]).lost) == 1


def test_an_intent_that_was_never_sent_is_not_lost() -> None:
    denied = replace(
        OURS, status="DENIED", broker_order_id=None, filled_qty=Decimal(0), avg_px=None, client_order_id="ob9"
    )

    assert books(ours=[OURS, denied]).lost == []


def test_the_same_tag_at_another_account_is_another_order() -> None:
    assert len(books(theirs=[{**THEIRS, "client": "OB002"}]).lost) == 1


@pytest.mark.parametrize(
    "changed", [{"filled": 64}, {"avg_px": "10.10"}], ids=["filled quantity", "average price"]
)
def test_another_fill_is_a_mismatch(changed: Mapping[str, Any]) -> None:
    assert len(books(theirs=[{**THEIRS, **changed}]).mismatched) == 1


def test_an_average_rounded_to_the_paisa_is_no_mismatch() -> None:
    assert books(theirs=[{**THEIRS, "avg_px": "10.06"}]).mismatched == []


def test_a_position_that_differs_is_a_mismatch() -> None:
    assert len(books(traded={(7, "NIFTYCE"): (Decimal(130), Decimal(130))}).mismatched) == 1


def test_a_position_at_the_broker_alone_is_found() -> None:
    found = books(position={"client": "OB001", "symbol": "OTHER", "bought": 65, "sold": 0})

    assert len(found.mismatched) == 2
    assert found.open_at_end == ["OB001 OTHER: 65 open at the broker"]


def test_what_is_open_in_our_ledger_alone_is_open() -> None:
    found = books(traded={(7, "NIFTYCE"): (Decimal(65), Decimal(130))})

    assert found.open_at_end == ["OB001 NIFTYCE: -65 open in our ledger"]


def test_an_order_by_hand_is_no_difference_once_the_platform_noticed_it() -> None:
    by_hand = {**THEIRS, "broker_order_id": "B9", "tag": "", "symbol": "NIFTYCE", "side": "BUY"}
    book: dict[str, Any] = {
        "orders": [THEIRS, by_hand],
        "positions": [{**POSITION, "bought": 130}],
        "clients": {7: "OB001"},
    }

    unnoticed = compare([OURS], TRADED, **book)
    noticed = compare([OURS], TRADED, **book, noticed={("OB001", "B9")})

    assert unnoticed.lost
    assert unnoticed.open_at_end
    assert noticed == Comparison(by_hand=["OB001: order B9"])


def test_a_position_that_a_person_closed_for_us_is_closed() -> None:
    by_hand = {**THEIRS, "broker_order_id": "B9", "tag": "", "symbol": "NIFTYCE", "side": "BUY"}
    book: dict[str, Any] = {
        "orders": [THEIRS, by_hand],
        "positions": [POSITION],
        "clients": {7: "OB001"},
        "noticed": {("OB001", "B9")},
    }
    sold_by_us = {(7, "NIFTYCE"): (Decimal(0), Decimal(65))}

    ignored = compare([OURS], sold_by_us, **book)
    claimed = compare([OURS], sold_by_us, **book, claimed={(7, "NIFTYCE"): (Decimal(65), Decimal(0))})

    assert ignored.open_at_end
    assert claimed == Comparison(by_hand=["OB001: order B9"])


def test_an_order_with_our_tag_is_never_taken_for_one_by_hand() -> None:
    doubled = {**THEIRS, "broker_order_id": "B9", "symbol": "NIFTYCE", "side": "BUY"}

    found = compare(
        [OURS],
        TRADED,
        orders=[THEIRS, doubled],
        positions=[POSITION],
        clients={7: "OB001"},
        noticed={("OB001", "B9")},
    )

    assert found.duplicates
    assert not found.by_hand
