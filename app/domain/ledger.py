"""Keep the append-only ledger: every fill step once, from which legs and cash are folded and audited."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.domain.errors import InvariantError
from app.domain.ids import DeploymentId, InstrumentId, OrderId
from app.domain.numbers import ZERO
from app.domain.orders import OrderRole, Side
from app.domain.positions import Leg, amount, apply_fill

LegKey = tuple[DeploymentId, InstrumentId]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """Book one fill step. `cumulative_qty` is the order's filled quantity after it."""

    order_id: OrderId
    deployment_id: DeploymentId
    instrument_id: InstrumentId
    side: Side
    role: OrderRole
    quantity: Decimal
    price: Decimal
    cumulative_qty: Decimal

    def __post_init__(self) -> None:
        if not 0 < self.quantity <= self.cumulative_qty or self.price <= 0:
            raise InvariantError(
                f"ledger: expected 0 < quantity <= cumulative and a positive price for order "
                f"{self.order_id}, got {self.quantity} of {self.cumulative_qty} at {self.price}"
            )

    @property
    def cash(self) -> Decimal:
        """Signed money of the step; buying is negative."""
        return -self.side.sign * amount(self.quantity, self.price)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Hold entries that fit together; appending returns a new ledger, nothing is ever changed."""

    entries: tuple[LedgerEntry, ...] = ()

    def append(self, entry: LedgerEntry) -> "Ledger":
        """Return the ledger with one more entry.

        Raises:
            InvariantError: the entry does not continue its order's filled quantity, so a step is
                booked twice or missing.
        """
        booked = self.filled_qty(entry.order_id)
        if booked + entry.quantity != entry.cumulative_qty:
            raise InvariantError(
                f"ledger: expected order {entry.order_id} to go on from {booked}, "
                f"got {entry.quantity} that ends at {entry.cumulative_qty}"
            )
        return Ledger((*self.entries, entry))

    def filled_qty(self, order_id: OrderId) -> Decimal:
        """Return the quantity booked for an order."""
        return max((e.cumulative_qty for e in self.entries if e.order_id == order_id), default=ZERO)

    @property
    def cash(self) -> Decimal:
        """Signed sum of all fills, before fees."""
        return sum((entry.cash for entry in self.entries), ZERO)

    def legs(self) -> Mapping[LegKey, Leg]:
        """Return every leg as the entries make it; their order does not matter."""
        return fold_legs(self.entries)


def fold_legs(entries: Iterable[LedgerEntry]) -> dict[LegKey, Leg]:
    """Fold entries into legs by deployment and instrument."""
    legs: dict[LegKey, Leg] = {}
    for entry in entries:
        key = (entry.deployment_id, entry.instrument_id)
        legs[key] = apply_fill(
            legs.get(key, Leg()),
            side=entry.side,
            quantity=entry.quantity,
            price=entry.price,
            role=entry.role,
        )
    return legs


def breaches(entries: Sequence[LedgerEntry], filled: Mapping[OrderId, Decimal]) -> tuple[str, ...]:
    """Audit booked entries against the orders' filled quantities; return a sentence per breach.

    Args:
        entries: the ledger as stored, in any order.
        filled: filled quantity by order, as the orders say.
    """
    steps: dict[OrderId, list[LedgerEntry]] = {}
    for entry in sorted(entries, key=lambda e: (e.order_id, e.cumulative_qty)):
        steps.setdefault(entry.order_id, []).append(entry)
    gaps = [
        f"order {order_id}: expected booked steps to add up, got {step.quantity} that ends at "
        f"{step.cumulative_qty} after {before}"
        for order_id, booked in steps.items()
        for before, step in zip([ZERO, *(e.cumulative_qty for e in booked)], booked, strict=False)
        if before + step.quantity != step.cumulative_qty
    ]
    sums = {order_id: booked[-1].cumulative_qty for order_id, booked in steps.items()}
    differences = [
        f"order {order_id}: expected {filled.get(order_id, ZERO)} booked, got {sums.get(order_id, ZERO)}"
        for order_id in sorted({*sums, *filled})
        if sums.get(order_id, ZERO) != filled.get(order_id, ZERO)
    ]
    return (*gaps, *differences)
