"""Fold the fills of a day into trades: from flat to flat, with what each earned and how it ended."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from app.domain.ids import DeploymentId, InstrumentId
from app.domain.numbers import ZERO
from app.domain.orders import Side
from app.domain.positions import amount


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeFill:
    """Show one booked fill. `is_stop`: its order is a stop that was hit; `at`: the platform's time."""

    deployment_id: DeploymentId
    instrument_id: InstrumentId
    side: Side
    quantity: Decimal
    price: Decimal
    at: datetime
    is_stop: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedTrade:
    """Show one trade of a deployment in an instrument that ended flat; `pnl` is before charges."""

    deployment_id: DeploymentId
    instrument_id: InstrumentId
    pnl: Decimal
    ended_at: datetime
    is_stopped: bool


@dataclass(frozen=True, slots=True)
class _Open:
    net_qty: Decimal = ZERO
    cash: Decimal = ZERO


def ended_trades(fills: Iterable[TradeFill]) -> tuple[EndedTrade, ...]:
    """Return the trades that ended, in order of their end; what is still open is left out.

    Args:
        fills: oldest first; fills of one moment in the order in which they were booked.
    """
    legs: dict[tuple[DeploymentId, InstrumentId], _Open] = {}
    ended: list[EndedTrade] = []
    for fill in fills:
        key = (fill.deployment_id, fill.instrument_id)
        leg = legs.get(key, _Open())
        leg = replace(
            leg,
            net_qty=leg.net_qty + fill.side.sign * fill.quantity,
            cash=leg.cash - fill.side.sign * amount(fill.quantity, fill.price),
        )
        legs[key] = leg
        if leg.net_qty == 0:
            del legs[key]
            ended.append(
                EndedTrade(
                    deployment_id=fill.deployment_id,
                    instrument_id=fill.instrument_id,
                    pnl=leg.cash,
                    ended_at=fill.at,
                    is_stopped=fill.is_stop,
                )
            )
    return tuple(ended)
