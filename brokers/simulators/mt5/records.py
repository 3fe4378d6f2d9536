"""Hold the broker's records: orders, positions and deals.

Prices are points, volumes hundredths of a lot, money US cents, times virtual epoch milliseconds UTC.
"""

from dataclasses import dataclass
from fractions import Fraction

from brokers.simulators.mt5 import constants as mt5

BUY, SELL = mt5.ORDER_TYPE_BUY, mt5.ORDER_TYPE_SELL
_BUY_TYPES = frozenset(
    {BUY, mt5.ORDER_TYPE_BUY_LIMIT, mt5.ORDER_TYPE_BUY_STOP, mt5.ORDER_TYPE_BUY_STOP_LIMIT}
)
LIMIT_TYPES = frozenset({mt5.ORDER_TYPE_BUY_LIMIT, mt5.ORDER_TYPE_SELL_LIMIT})
STOP_TYPES = frozenset({mt5.ORDER_TYPE_BUY_STOP, mt5.ORDER_TYPE_SELL_STOP})
STOP_LIMIT_TYPES = frozenset({mt5.ORDER_TYPE_BUY_STOP_LIMIT, mt5.ORDER_TYPE_SELL_STOP_LIMIT})
PENDING_TYPES = LIMIT_TYPES | STOP_TYPES | STOP_LIMIT_TYPES


def side_of(order_type: int) -> int:
    """Return BUY or SELL for any order type but close-by."""
    return BUY if order_type in _BUY_TYPES else SELL


def opposite(side: int) -> int:
    """Return the other side."""
    return SELL if side == BUY else BUY


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order, working or done."""

    ticket: int
    symbol: str
    type: int
    volume: int
    left: int
    price: int
    state: int
    setup_ms: int
    filling: int = mt5.ORDER_FILLING_FOK
    stoplimit: int = 0
    sl: int = 0
    tp: int = 0
    time_type: int = mt5.ORDER_TIME_GTC
    expires_ms: int = 0
    done_ms: int = 0
    magic: int = 0
    position_id: int = 0
    position_by_id: int = 0
    reason: int = mt5.ORDER_REASON_EXPERT
    comment: str = ""
    sent_comment: str = ""
    placed_real: float = 0.0
    done_real: float = 0.0

    @property
    def side(self) -> int:
        """Return BUY or SELL."""
        return side_of(self.type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One open position; the price is an average, exact as a fraction."""

    ticket: int
    identifier: int
    symbol: str
    side: int
    volume: int
    price: Fraction
    opened_ms: int
    updated_ms: int
    sl: int = 0
    tp: int = 0
    magic: int = 0
    reason: int = mt5.POSITION_REASON_EXPERT
    comment: str = ""

    def profit(self, bid: int, ask: int) -> int:
        """Return the profit at these quotes, cents: one point of one lot is one dollar."""
        return self.profit_at(bid if self.side == BUY else ask, self.volume)

    def profit_at(self, price: int, volume: int) -> int:
        """Return the profit of closing a volume at a price, cents."""
        gain = price - self.price if self.side == BUY else self.price - price
        return round(gain * volume)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """One execution, or a movement of money."""

    ticket: int
    order: int
    symbol: str
    type: int
    entry: int
    volume: int
    price: int
    at_ms: int
    real: float
    position_id: int = 0
    profit: int = 0
    commission: int = 0
    swap: int = 0
    magic: int = 0
    reason: int = mt5.DEAL_REASON_EXPERT
    comment: str = ""
