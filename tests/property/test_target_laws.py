"""Check the laws of targets for any holding: nothing doubles, nothing overshoots, the way out is open."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.domain.orders import Side
from app.domain.targets import Holding, Move, MoveKind, move_by, move_to

lot_sizes = st.sampled_from([Decimal(75), Decimal(1), Decimal("0.001")])
amounts = st.integers(0, 50).map(Decimal)
holdings = st.builds(
    Holding,
    held=st.integers(-50, 50).map(Decimal),
    buying=amounts,
    selling=amounts,
    is_leaving=st.booleans(),
)
targets = st.integers(-50, 50).map(Decimal)


def in_units(holding: Holding, lot_size: Decimal) -> Holding:
    """Return a holding that was drawn in lots."""
    return replace(
        holding,
        held=holding.held * lot_size,
        buying=holding.buying * lot_size,
        selling=holding.selling * lot_size,
    )


def after(holding: Holding, move: Move) -> Holding:
    """Return the holding once the move is recorded: an entry is under way, an exit is asked for."""
    if move.kind is MoveKind.ENTER and move.side is Side.BUY:
        return replace(holding, buying=holding.buying + move.quantity)
    if move.kind is MoveKind.ENTER:
        return replace(holding, selling=holding.selling + move.quantity)
    if move.kind is MoveKind.EXIT:
        return replace(holding, is_leaving=True)
    return holding


@given(holding=holdings, target=targets, lot_size=lot_sizes)
def test_an_entry_reaches_the_target_exactly_and_only_grows(
    holding: Holding, target: Decimal, lot_size: Decimal
) -> None:
    have, wanted = in_units(holding, lot_size), target * lot_size

    move = move_to(wanted, have, lot_size=lot_size)

    if move.kind is MoveKind.ENTER:
        assert move.side is not None
        assert have.expected + move.side.sign * move.quantity == wanted
        assert abs(wanted) > abs(have.expected)
        assert have.expected * wanted >= 0
        assert move.quantity % lot_size == 0
        assert not have.is_leaving


@given(holding=holdings, target=targets, lot_size=lot_sizes)
def test_asking_again_enters_nothing_more(holding: Holding, target: Decimal, lot_size: Decimal) -> None:
    have, wanted = in_units(holding, lot_size), target * lot_size

    once = after(have, move_to(wanted, have, lot_size=lot_size))

    assert move_to(wanted, once, lot_size=lot_size).kind is not MoveKind.ENTER


@given(
    held=st.integers(-50, 50).map(Decimal),
    target=targets.filter(bool),
    filled=st.integers(0, 100).map(Decimal),
)
def test_a_partial_fill_in_between_changes_nothing(held: Decimal, target: Decimal, filled: Decimal) -> None:
    have = Holding(held=held)
    move = move_to(target, have, lot_size=Decimal(1))
    if move.kind is not MoveKind.ENTER or move.side is None:
        return
    part = min(filled, move.quantity)
    under_way = after(have, move)
    moved = replace(
        under_way,
        held=held + move.side.sign * part,
        buying=under_way.buying - (part if move.side is Side.BUY else 0),
        selling=under_way.selling - (part if move.side is Side.SELL else 0),
    )

    assert move_to(target, moved, lot_size=Decimal(1)).kind is MoveKind.NOTHING


@given(holding=holdings, lot_size=lot_sizes)
def test_flat_is_never_refused(holding: Holding, lot_size: Decimal) -> None:
    assert move_to(Decimal(0), in_units(holding, lot_size), lot_size=lot_size).kind is MoveKind.EXIT


@given(holding=holdings, side=st.sampled_from(Side), lots=st.integers(1, 60).map(Decimal))
def test_an_order_enters_what_it_says_or_nothing(holding: Holding, side: Side, lots: Decimal) -> None:
    move = move_by(side, lots, holding, lot_size=Decimal(1))

    if move.kind is MoveKind.ENTER:
        assert (move.side, move.quantity) == (side, lots)
    if move.kind is MoveKind.EXIT:
        assert holding.expected == -side.sign * lots
