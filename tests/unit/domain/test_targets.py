"""Check what wished positions and orders come to, case by case."""

from decimal import Decimal

import pytest

from app.domain.errors import InvalidInputError
from app.domain.orders import Side
from app.domain.targets import Holding, Move, MoveKind, TargetFault, move_by, move_out, move_to

LOT = Decimal(75)


def holding(held: int = 0, buying: int = 0, selling: int = 0, *, is_leaving: bool = False) -> Holding:
    """Return a holding in lots."""
    return Holding(held=held * LOT, buying=buying * LOT, selling=selling * LOT, is_leaving=is_leaving)


def said(move: Move) -> str:
    """Write a move as the tables below do."""
    if move.kind is MoveKind.ENTER:
        assert move.side is not None
        return f"{move.side} {move.quantity / LOT:f}"
    return f"{move.kind}{'' if move.fault is None else ' ' + move.fault}"


@pytest.mark.parametrize(
    ("target", "have", "expected"),
    [
        (2, holding(), "BUY 2"),
        (-2, holding(), "SELL 2"),
        (2, holding(1), "BUY 1"),
        (-3, holding(-1), "SELL 2"),
        (2, holding(2), "NOTHING"),
        (2, holding(0, 2), "NOTHING"),
        (2, holding(1, 1), "NOTHING"),
        (3, holding(1, 1), "BUY 1"),
        (-2, holding(0, 0, 2), "NOTHING"),
        (-3, holding(-1, 0, 1), "SELL 1"),
        (1, holding(2), "REFUSED REDUCTION"),
        (1, holding(0, 2), "REFUSED REDUCTION"),
        (-1, holding(-2), "REFUSED REDUCTION"),
        (-1, holding(2), "EXIT REVERSAL"),
        (1, holding(0, 0, 1), "EXIT REVERSAL"),
        (2, holding(1, is_leaving=True), "REFUSED LEAVING"),
        (-2, holding(1, is_leaving=True), "REFUSED LEAVING"),
        (2, holding(1, 0, 1), "REFUSED UNSETTLED"),
        (2, holding(-1, 1), "REFUSED UNSETTLED"),
        (2, holding(0, 1, 1), "REFUSED UNSETTLED"),
        (0, holding(), "EXIT"),
        (0, holding(2), "EXIT"),
        (0, holding(-2), "EXIT"),
        (0, holding(0, 1), "EXIT"),
        (0, holding(1, 0, 1), "EXIT"),
        (0, holding(1, is_leaving=True), "EXIT"),
    ],
)
def test_a_target_is_gone_for_once(target: int, have: Holding, expected: str) -> None:
    assert said(move_to(target * LOT, have, lot_size=LOT)) == expected


@pytest.mark.parametrize(
    ("side", "lots", "have", "expected"),
    [
        (Side.BUY, 2, holding(), "BUY 2"),
        (Side.SELL, 2, holding(), "SELL 2"),
        (Side.BUY, 1, holding(1), "BUY 1"),
        (Side.BUY, 1, holding(1, 1), "BUY 1"),
        (Side.SELL, 1, holding(1), "EXIT"),
        (Side.BUY, 3, holding(-3), "EXIT"),
        (Side.SELL, 2, holding(1, 1), "EXIT"),
        (Side.SELL, 1, holding(2), "REFUSED REDUCTION"),
        (Side.SELL, 3, holding(1), "REFUSED REVERSAL"),
        (Side.SELL, 1, holding(1, is_leaving=True), "REFUSED LEAVING"),
        (Side.BUY, 1, holding(1, is_leaving=True), "REFUSED LEAVING"),
        (Side.SELL, 1, holding(2, 0, 1), "REFUSED UNSETTLED"),
        (Side.BUY, 1, holding(2, 0, 1), "REFUSED UNSETTLED"),
    ],
)
def test_an_order_is_a_target_said_relatively(side: Side, lots: int, have: Holding, expected: str) -> None:
    assert said(move_by(side, lots * LOT, have, lot_size=LOT)) == expected


@pytest.mark.parametrize(
    ("only", "have", "expected"),
    [
        (None, holding(), "EXIT"),
        (None, holding(1, is_leaving=True), "EXIT"),
        (Side.BUY, holding(1), "EXIT"),
        (Side.BUY, holding(0, 1), "EXIT"),
        (Side.BUY, holding(-1), "NOTHING"),
        (Side.BUY, holding(), "NOTHING"),
        (Side.SELL, holding(-1), "EXIT"),
        (Side.SELL, holding(0, 0, 1), "EXIT"),
        (Side.SELL, holding(1), "NOTHING"),
    ],
)
def test_leaving_closes_what_was_entered_on_the_side(only: Side | None, have: Holding, expected: str) -> None:
    assert said(move_out(have, only=only)) == expected


def test_part_of_a_lot_is_refused_with_what_was_expected() -> None:
    move = move_to(LOT + 1, holding(1), lot_size=LOT)

    assert (move.kind, move.fault) == (MoveKind.REFUSED, TargetFault.BROKEN_LOT)
    assert move.message == "expected a multiple of the lot 75, got 1 to enter"


def test_a_reversal_says_what_it_leaves_undone() -> None:
    move = move_to(-LOT, holding(2), lot_size=LOT)

    assert move.message == "150 are being closed first; -75 was not entered"


@pytest.mark.parametrize("fault", TargetFault)
def test_every_fault_has_a_remedy(fault: TargetFault) -> None:
    assert fault.remedy.endswith(".")


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_what_is_no_number_raises(value: str) -> None:
    with pytest.raises(InvalidInputError, match="finite"):
        move_to(Decimal(value), holding(), lot_size=LOT)
    with pytest.raises(InvalidInputError, match="positive"):
        move_by(Side.BUY, Decimal(value), holding(), lot_size=LOT)


def test_an_order_of_nothing_raises() -> None:
    with pytest.raises(InvalidInputError, match="expected a positive number, got 0"):
        move_by(Side.BUY, Decimal(0), holding(), lot_size=LOT)
