"""Fold fills into legs: what is held, what it cost, what it earned.

Amounts are exact on a grid of a millionth of a rupee, the grid of the store. A leg keeps sums only
(quantities, values, cash), never running averages, so fills may be booked in any order.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Protocol

from app.domain.errors import InvariantError
from app.domain.numbers import ZERO, Rounding, round_to_step
from app.domain.orders import OrderRole, Side

MONEY_STEP: Final = Decimal("0.000001")
# Brokers report averages rounded to paise, each half a paisa off at most.
_AVERAGE_ROUNDING: Final = Decimal("0.01")


def amount(quantity: Decimal, price: Decimal) -> Decimal:
    """Return quantity times price on the money grid, so that sums do not depend on their order."""
    return round_to_step(quantity * price, MONEY_STEP, Rounding.NEAREST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """Hold one instrument of a deployment on a day, as sums over its fills.

    `net_qty` is negative when short; `entry_value` is the sum of quantity times price over entry
    fills; `cash` is signed (buying is negative); `is_stopped` says that a protective stop filled, in
    whole or part.
    """

    net_qty: Decimal = ZERO
    entry_qty: Decimal = ZERO
    entry_value: Decimal = ZERO
    cash: Decimal = ZERO
    is_stopped: bool = False

    @property
    def entry_px(self) -> Decimal:
        """Average price of all entry fills, zero before the first one."""
        return self.entry_value / self.entry_qty if self.entry_qty else ZERO

    @property
    def is_flat(self) -> bool:
        """Whether nothing is held."""
        return self.net_qty == 0

    @property
    def exit_side(self) -> Side | None:
        """The side that closes the leg, None when it is flat."""
        if self.is_flat:
            return None
        return Side.SELL if self.net_qty > 0 else Side.BUY


def apply_fill(leg: Leg, *, side: Side, quantity: Decimal, price: Decimal, role: OrderRole) -> Leg:
    """Return the leg after one fill; the order of fills does not matter, repeats must be gone before.

    Raises:
        InvariantError: quantity or price is not a positive number.
    """
    if not (quantity.is_finite() and price.is_finite()) or quantity <= 0 or price <= 0:
        raise InvariantError(f"fill: expected positive quantity and price, got {quantity} at {price}")
    value = amount(quantity, price)
    booked = replace(
        leg,
        net_qty=leg.net_qty + side.sign * quantity,
        cash=leg.cash - side.sign * value,
        is_stopped=leg.is_stopped or role is OrderRole.STOP,
    )
    if role.is_exit:
        return booked
    return replace(booked, entry_qty=leg.entry_qty + quantity, entry_value=leg.entry_value + value)


class Valued(Protocol):
    """What valuing needs of a leg; see `Leg`."""

    @property
    def net_qty(self) -> Decimal: ...
    @property
    def entry_px(self) -> Decimal: ...
    @property
    def cash(self) -> Decimal: ...


def pnl(leg: Valued, mark: Decimal) -> Decimal:
    """Return the whole profit or loss of the leg at a mark price, before fees."""
    return leg.cash + amount(leg.net_qty, mark)


def realized_pnl(leg: Valued) -> Decimal:
    """Return what the closed part earned, at the average entry price."""
    return leg.cash + amount(leg.net_qty, leg.entry_px)


def unrealized_pnl(leg: Valued, mark: Decimal) -> Decimal:
    """Return what the open part would earn at a mark price; adds up with realized_pnl to pnl exactly."""
    return pnl(leg, mark) - realized_pnl(leg)


def fill_step(
    previous_filled: Decimal,
    previous_avg: Decimal | None,
    *,
    reported_filled: Decimal,
    reported_avg: Decimal | None,
) -> tuple[Decimal, Decimal] | None:
    """Turn a broker's cumulative report into the one new step for the ledger.

    Args:
        previous_filled: filled quantity that we have booked.
        previous_avg: average price of the last booked report, None when nothing is booked.
        reported_filled: filled quantity that the broker reports.
        reported_avg: its average price, None or zero when nothing is filled.

    Returns:
        (quantity, price) to book, or None when the report is a repeat or older than what we know.
        The steps add up to the last report exactly, wherever the rounding of averages allows it.

    Raises:
        InvariantError: the report contradicts the booked one, or has a fill without a price.
    """
    if not reported_filled.is_finite() or reported_filled < 0:
        raise InvariantError(f"fill report: expected a quantity from zero, got {reported_filled}")
    if reported_filled < previous_filled or reported_filled == 0:
        return None
    average, booked = _known(reported_filled, reported_avg), _known(previous_filled, previous_avg)
    if reported_filled == previous_filled:
        if abs(average - booked) > _AVERAGE_ROUNDING:
            raise InvariantError(
                f"fill report: {reported_filled} were booked at an average of {booked}, now come at {average}"
            )
        return None
    quantity = reported_filled - previous_filled
    value = amount(reported_filled, average) - amount(previous_filled, booked)
    if value > 0:
        return quantity, value / quantity
    # Rounded averages of very cheap options can take more from a small step than it was worth; the
    # smallest price keeps the sum nearest to the report.
    if value + _AVERAGE_ROUNDING * (reported_filled + previous_filled) > 0:
        return quantity, MONEY_STEP
    raise InvariantError(
        f"fill report: from {previous_filled} at {booked} to {reported_filled} at {average} "
        f"the new step would be worth {value}"
    )


def _known(filled: Decimal, average: Decimal | None) -> Decimal:
    if filled == 0:
        return ZERO
    if average is None or not average.is_finite() or average <= 0:
        raise InvariantError(f"fill report: expected a positive average price of {filled}, got {average}")
    return average
