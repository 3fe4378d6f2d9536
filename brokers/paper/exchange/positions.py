"""Net fills into positions, and say what money is free. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from app.domain.instruments import InstrumentKind
from app.domain.orders import Side
from brokers.paper.exchange.orders import ZERO, Fill, Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Hold the net of one instrument: negative `net` is short, `cost` is what the net was bought for."""

    instrument_id: str
    symbol: str
    kind: InstrumentKind
    net: Decimal = ZERO
    cost: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """Hold free and bound money in the account's currency."""

    available: Decimal
    used: Decimal


def with_fill(position: Position, side: Side, fill: Fill) -> Position:
    """Return the position after a fill: what closes takes its share of the cost with it."""
    signed = side.sign * fill.quantity
    net = position.net + signed
    if position.net == 0 or position.net * signed > 0:
        return replace(position, net=net, cost=position.cost + signed * fill.price)
    if net * signed > 0:  # turned around: what is left was opened by this fill
        return replace(position, net=net, cost=net * fill.price)
    return replace(position, net=net, cost=position.cost * net / position.net)


def cash_of(side: Side, fill: Fill, fee: Decimal) -> Decimal:
    """Return what a fill brings into the cash, negative when it costs."""
    return -side.sign * fill.value - fee


def opening_quantity(net: Decimal, side: Side, quantity: Decimal) -> Decimal:
    """Return how much of an order would open exposure, given the net position."""
    closable = max(ZERO, -net * side.sign)
    return max(ZERO, quantity - closable)


def money(
    cash: Decimal,
    positions: Iterable[Position],
    working: Iterable[Order],
    fractions: Mapping[InstrumentKind, Decimal],
) -> Money:
    """Return the account's money at cost: profits and losses count once they are realized.

    A position binds its part of its cost, and a working order what its open quantity would bind.
    """
    held = tuple(positions)
    used = sum((abs(p.cost) * fractions[p.kind] for p in held), ZERO)
    used += sum((order.leaves * order.bound_px for order in working), ZERO)
    return Money(available=cash + sum((p.cost for p in held), ZERO) - used, used=used)
