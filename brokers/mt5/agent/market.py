"""Read what the terminal knows about a symbol at the moment an order is sent."""

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum

from app.domain.errors import ProtocolError
from app.domain.orders import Side
from brokers.mt5.values import Row, not_negative, positive, whole


class Execution(IntEnum):
    """Name how a broker executes: only the first two and the exchange keep a price promise."""

    REQUEST = 0
    INSTANT = 1
    MARKET = 2
    EXCHANGE = 3


class Filling(IntEnum):
    """Name the filling policies of a trade request."""

    FOK = 0
    IOC = 1
    RETURN = 2


_FOK_FLAG, _IOC_FLAG = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolMarket:
    """Hold a symbol's rules and best prices. Volumes in lots, `stops_level` in points."""

    symbol: str
    point: Decimal
    tick_size: Decimal
    volume_min: Decimal
    volume_max: Decimal
    volume_step: Decimal
    stops_level: int
    filling_mode: int
    execution: Execution
    bid: Decimal
    ask: Decimal

    @property
    def stops_distance(self) -> Decimal:
        """How far from the market a pending order must be, in price."""
        return self.stops_level * self.point

    def touch(self, side: Side) -> Decimal:
        """Return the price at which `side` trades now."""
        return self.ask if side is Side.BUY else self.bid

    def fillings(self) -> tuple[Filling, ...]:
        """Return the policies that a deal may use, the ones that leave nothing behind first.

        Source: brokers.md 3.2.
        """
        allowed = []
        if self.filling_mode & _IOC_FLAG:
            allowed.append(Filling.IOC)
        if self.filling_mode & _FOK_FLAG:
            allowed.append(Filling.FOK)
        if self.execution is not Execution.MARKET:
            allowed.append(Filling.RETURN)
        return tuple(allowed)


def symbol_market(symbol: str, info: Row, tick: Row) -> SymbolMarket:
    """Return the rules and prices of a symbol. Raises ProtocolError."""
    point = positive(info, "point")
    tick_size = not_negative(info, "trade_tick_size")
    try:
        execution = Execution(whole(info, "trade_exemode"))
    except ValueError as e:
        raise ProtocolError(f"trade_exemode: expected 0 to 3, got {info.get('trade_exemode')!r:.40}") from e
    return SymbolMarket(
        symbol=symbol,
        point=point,
        tick_size=tick_size or point,
        volume_min=positive(info, "volume_min"),
        volume_max=positive(info, "volume_max"),
        volume_step=positive(info, "volume_step"),
        stops_level=max(whole(info, "trade_stops_level"), 0),
        filling_mode=whole(info, "filling_mode"),
        execution=execution,
        bid=not_negative(tick, "bid"),
        ask=not_negative(tick, "ask"),
    )
