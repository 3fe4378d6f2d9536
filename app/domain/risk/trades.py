"""Fold the fills of a day into trades: from flat to flat, with what each earned and how it ended."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.domain.ids import ClientOrderId, DeploymentId, InstrumentId
from app.domain.numbers import ZERO
from app.domain.orders import Side
from app.domain.positions import amount


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeFill:
    """Show one booked fill; `at` is the platform's time.

    `is_stop`: its order is a stop that was hit. `entry_id`: the entry order that filled, None for a fill
    that closes.
    """

    deployment_id: DeploymentId
    instrument_id: InstrumentId
    side: Side
    quantity: Decimal
    price: Decimal
    at: datetime
    is_stop: bool
    entry_id: ClientOrderId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedTrade:
    """Show one trade of a deployment in an instrument that ended flat; `pnl` is before charges."""

    deployment_id: DeploymentId
    instrument_id: InstrumentId
    pnl: Decimal
    ended_at: datetime
    is_stopped: bool


class OpenTrades:
    """Fold fills one by one, oldest first; holds what is not flat yet."""

    def __init__(self) -> None:
        self._legs: dict[tuple[DeploymentId, InstrumentId], tuple[Decimal, Decimal]] = {}

    def apply(self, fill: TradeFill) -> EndedTrade | None:
        """Book a fill; return the trade that it ended."""
        key = (fill.deployment_id, fill.instrument_id)
        net_qty, cash = self._legs.pop(key, (ZERO, ZERO))
        net_qty += fill.side.sign * fill.quantity
        cash -= fill.side.sign * amount(fill.quantity, fill.price)
        if net_qty != 0:
            self._legs[key] = net_qty, cash
            return None
        return EndedTrade(
            deployment_id=fill.deployment_id,
            instrument_id=fill.instrument_id,
            pnl=cash,
            ended_at=fill.at,
            is_stopped=fill.is_stop,
        )


def ended_trades(fills: Iterable[TradeFill]) -> tuple[EndedTrade, ...]:
    """Return the trades that ended, in order of their end; what is still open is left out.

    Args:
        fills: oldest first; fills of one moment in the order in which they were booked.
    """
    trades = OpenTrades()
    return tuple(trade for fill in fills if (trade := trades.apply(fill)) is not None)
