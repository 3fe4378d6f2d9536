"""Turn a wished position into one move: enter the difference, leave whole, do nothing, or say why not.

A target is absolute, so asking for it again never doubles: what is held and what is under way both count.
A plain order is the same thing said relatively. The platform closes an instrument as a whole, never a part.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from app.domain.errors import InvalidInputError
from app.domain.numbers import ZERO, floor_to_lot
from app.domain.orders import Side


class MoveKind(StrEnum):
    """Name what a wish comes to."""

    ENTER = "ENTER"
    EXIT = "EXIT"
    NOTHING = "NOTHING"
    REFUSED = "REFUSED"


class TargetFault(StrEnum):
    """Name why a wished position is not gone for, or not all the way."""

    LEAVING = "LEAVING"
    REDUCTION = "REDUCTION"
    REVERSAL = "REVERSAL"
    UNSETTLED = "UNSETTLED"
    BROKEN_LOT = "BROKEN_LOT"

    @property
    def remedy(self) -> str:
        """What whoever asked can do about it."""
        return _REMEDIES[self]


_REMEDIES = {
    TargetFault.LEAVING: "Wait until it is flat, then ask again under a new key.",
    TargetFault.REDUCTION: "Ask for 0 to close it as a whole, then for what shall be held.",
    TargetFault.REVERSAL: "Close first (target 0); once it is flat, ask for the other side under a new key.",
    TargetFault.UNSETTLED: "Wait until its entries have ended, or ask for 0.",
    TargetFault.BROKEN_LOT: "Ask for whole lots.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Show what a deployment has of one instrument, in units.

    `held` is signed. `buying` and `selling` are what its live entries may still fill, outcomes that are not
    proven included. `is_leaving`: somebody wants it flat, and it is not yet.
    """

    held: Decimal
    buying: Decimal = ZERO
    selling: Decimal = ZERO
    is_leaving: bool = False

    @property
    def expected(self) -> Decimal:
        """The position once everything under way has filled, signed."""
        return self.held + self.buying - self.selling

    @property
    def is_mixed(self) -> bool:
        """Whether parts of it pull against each other, so that no difference can be trusted."""
        signs = (self.held > 0 or self.buying > 0, self.held < 0 or self.selling > 0)
        return all(signs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Say what is done: ENTER `quantity` units (> 0) on `side`, or else why not in `fault` and `message`.

    An EXIT with the fault REVERSAL closes what is held and leaves the other side to a later wish.
    """

    kind: MoveKind
    side: Side | None = None
    quantity: Decimal = ZERO
    fault: TargetFault | None = None
    message: str = ""


def move_to(target: Decimal, holding: Holding, *, lot_size: Decimal) -> Move:
    """Return the move that brings a holding to a target.

    Args: target: units, signed; 0 is flat, which is never refused.

    Raises:
        InvalidInputError: the target is not finite.
    """
    if not target.is_finite():
        raise InvalidInputError(f"target: expected a finite number, got {target}")
    if target == 0:
        return Move(kind=MoveKind.EXIT)
    if holding.is_leaving:
        return _refused(TargetFault.LEAVING, "expected a position that stays, it is being closed")
    if holding.is_mixed:
        return _refused(TargetFault.UNSETTLED, "expected entries on one side, some work against others")
    expected = holding.expected
    if expected * target < 0:
        return Move(
            kind=MoveKind.EXIT,
            fault=TargetFault.REVERSAL,
            message=f"{expected:f} are being closed first; {target:f} was not entered",
        )
    if abs(target) < abs(expected):
        return _refused(
            TargetFault.REDUCTION,
            f"expected 0 or at least the {expected:f} held and under way, got {target:f}",
        )
    return _enter(target, expected, lot_size)


def move_by(side: Side, quantity: Decimal, holding: Holding, *, lot_size: Decimal) -> Move:
    """Return the move that an order of so many units (> 0) comes to.

    The exact opposite of all that is held and under way is the way out. One that would go beyond is refused:
    who sends it again once flat would get more than was meant.

    Raises:
        InvalidInputError: the quantity is not positive.
    """
    if not quantity.is_finite() or quantity <= 0:
        raise InvalidInputError(f"quantity: expected a positive number, got {quantity}")
    target = holding.expected + side.sign * quantity
    if target == 0 and (holding.is_leaving or holding.is_mixed):
        fault = TargetFault.LEAVING if holding.is_leaving else TargetFault.UNSETTLED
        return _refused(fault, "expected a settled position, so that an order means one thing")
    move = move_to(target, holding, lot_size=lot_size)
    if move.fault is TargetFault.REVERSAL:
        return _refused(
            TargetFault.REVERSAL, f"expected at most {abs(holding.expected):f} to close, got {quantity:f}"
        )
    return move


def move_out(holding: Holding, *, only: Side | None = None) -> Move:
    """Return the way out of what was entered on a side (None: either); nothing where that is not held."""
    has = {
        Side.BUY: holding.held > 0 or holding.buying > 0,
        Side.SELL: holding.held < 0 or holding.selling > 0,
    }
    if only is None or has[only]:
        return Move(kind=MoveKind.EXIT)
    return Move(kind=MoveKind.NOTHING)


def _enter(target: Decimal, expected: Decimal, lot_size: Decimal) -> Move:
    missing = abs(target) - abs(expected)
    if missing == 0:
        return Move(kind=MoveKind.NOTHING)
    if floor_to_lot(missing, lot_size) != missing:
        return _refused(
            TargetFault.BROKEN_LOT, f"expected a multiple of the lot {lot_size:f}, got {missing:f} to enter"
        )
    return Move(kind=MoveKind.ENTER, side=Side.BUY if target > 0 else Side.SELL, quantity=missing)


def _refused(fault: TargetFault, message: str) -> Move:
    return Move(kind=MoveKind.REFUSED, fault=fault, message=message)
