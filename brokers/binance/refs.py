"""Name orders so that the name alone leads back to them: Binance's numbers are unique per symbol only."""

import re
from dataclasses import dataclass

from app.domain.ids import BrokerOrderId

_FORM = re.compile(r"(?P<symbol>[^\s-]{1,40})-(?P<algo>algo-)?(?P<number>[0-9]{1,20})")


@dataclass(frozen=True, slots=True)
class OrderRef:
    """Point at an order: "BTCUSDT-4711", or "BTCUSDT-algo-4711" for a conditional order of futures."""

    symbol: str
    number: int
    is_algo: bool = False

    @property
    def broker_order_id(self) -> BrokerOrderId:
        """The order's name for the platform."""
        return BrokerOrderId(f"{self.symbol}-{'algo-' if self.is_algo else ''}{self.number}")


def parse_ref(broker_order_id: BrokerOrderId) -> OrderRef | None:
    """Return what a name points at, or None: no order of Binance is called so."""
    match = _FORM.fullmatch(broker_order_id)
    if match is None:
        return None
    return OrderRef(match["symbol"], int(match["number"]), is_algo=match["algo"] is not None)
