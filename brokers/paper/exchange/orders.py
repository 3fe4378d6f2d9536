"""Define what the exchange keeps: contracts, terms, orders, fills, quotes."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from app.domain.instruments import InstrumentKind
from app.domain.orders import OrderStatus, OrderType, Side, TimeInForce

ZERO = Decimal(0)
_STOPS = frozenset({OrderType.STOP_LIMIT, OrderType.STOP_MARKET})
_LIMITS = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """Describe the traded instrument as the client's own master says; the exchange has none."""

    instrument_id: str
    symbol: str
    venue: str
    kind: InstrumentKind
    tick_size: Decimal
    lot_size: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Hold what may be changed while an order works."""

    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal | None
    trigger_price: Decimal | None

    @property
    def is_stop(self) -> bool:
        """Whether it waits for a trigger first."""
        return self.order_type in _STOPS

    @property
    def is_limit(self) -> bool:
        """Whether it has a limit once it is active."""
        return self.order_type in _LIMITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Hold the newest price of an instrument; bid and ask are None where the venue gives none."""

    instrument_id: str
    last: Decimal
    bid: Decimal | None
    ask: Decimal | None
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Hold one order in its present state.

    `amount` is the sum of price times quantity of its fills. `bound_px` is the money that each unit not
    yet filled binds, zero where the order closes. `is_resting` says that a quote has passed it by, so that
    it now waits for a price beyond its limit. `version` is the account's sequence at the last change.
    """

    number: int
    account: str
    client_order_id: str
    contract: Contract
    side: Side
    terms: Terms
    reduces_only: bool
    status: OrderStatus
    updated_at: datetime
    filled: Decimal = ZERO
    amount: Decimal = ZERO
    bound_px: Decimal = ZERO
    is_triggered: bool = False
    is_resting: bool = False
    code: str = ""
    reason: str = ""
    version: int = 0

    @property
    def leaves(self) -> Decimal:
        """Quantity that may still fill."""
        return ZERO if self.status.is_terminal else self.terms.quantity - self.filled

    @property
    def is_armed(self) -> bool:
        """Whether it still waits for its trigger."""
        return self.terms.is_stop and not self.is_triggered

    def working_status(self) -> OrderStatus:
        """Return the status that its quantities and trigger say."""
        if self.filled == self.terms.quantity:
            return OrderStatus.FILLED
        if self.filled > 0:
            return OrderStatus.PARTIALLY_FILLED
        return OrderStatus.TRIGGERED if self.terms.is_stop and self.is_triggered else OrderStatus.ACCEPTED

    def ended(self, status: OrderStatus, code: str, reason: str) -> "Order":
        """Return the order at its end; a reason says why to a person."""
        return replace(self, status=status, code=code, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """Hold one execution."""

    quantity: Decimal
    price: Decimal

    @property
    def value(self) -> Decimal:
        """Traded value."""
        return self.quantity * self.price
