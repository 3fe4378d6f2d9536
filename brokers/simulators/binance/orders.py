"""Describe an order, its states and its fills; prices in quote currency, quantities in base currency."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)


class Status(StrEnum):
    """The venue's own words for an order's status."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


MARKET_KINDS = frozenset({"MARKET", "STOP_LOSS", "TAKE_PROFIT", "STOP_MARKET", "TAKE_PROFIT_MARKET"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderState:
    """One version of an order."""

    status: Status
    qty: Decimal
    price: Decimal
    filled: Decimal = ZERO
    quote: Decimal = ZERO  # sum of price * quantity over the fills
    working: bool = True  # False for a stop whose trigger has not been reached
    updated_ms: int = 0  # virtual
    real: float = 0.0  # monotonic

    @property
    def average(self) -> Decimal:
        """Return the average fill price, 0 without fills."""
        return self.quote / self.filled if self.filled else ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution; fee in fee_asset, realized profit in quote currency (futures)."""

    trade_id: int
    account: str
    market: str
    symbol: str
    number: int
    client_id: str
    side: str
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    realized: Decimal
    at_ms: int
    real: float


@dataclass(slots=True, kw_only=True)
class Order:
    """One order: its identity, its versions (oldest first) and how the market treats it now."""

    account: str
    market: str
    symbol: str
    number: int
    client_id: str
    side: str
    kind: str
    tif: str
    stop: Decimal = ZERO
    quote_qty: Decimal = ZERO
    reduce_only: bool = False
    close_position: bool = False
    position_side: str = "BOTH"
    working_type: str = "CONTRACT_PRICE"
    good_till_ms: int = 0
    list_number: int = -1
    created_ms: int = 0
    created_real: float = 0.0  # epoch seconds
    states: list[OrderState] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    working_since_ms: int = -1
    split: bool = False  # has had its partial fill
    stalled: bool = False  # injected: rests and never fills until canceled
    done: bool = False

    @property
    def state(self) -> OrderState:
        """Return the newest version."""
        return self.states[-1]

    @property
    def leaves(self) -> Decimal:
        """Return the quantity that may still fill."""
        return ZERO if self.done else self.state.qty - self.state.filled

    @property
    def armed(self) -> bool:
        """Return whether it waits for its trigger."""
        return not self.done and not self.state.working

    def as_of(self, real: float) -> OrderState | None:
        """Return the version that was current at a monotonic instant, None if it was not there yet."""
        newest = None
        for state in self.states:
            if state.real > real:
                break
            newest = state
        return newest


@dataclass(slots=True, kw_only=True)
class AlgoOrder:
    """One futures conditional order: it becomes an ordinary order when its trigger is reached."""

    account: str
    symbol: str
    number: int
    client_id: str
    side: str
    kind: str
    tif: str
    qty: Decimal
    price: Decimal
    trigger: Decimal
    reduce_only: bool
    close_position: bool
    working_type: str
    position_side: str = "BOTH"
    status: str = "NEW"
    reason: str = ""
    order: Order | None = None  # what it became
    created_ms: int = 0
    updated_ms: int = 0
    triggered_ms: int = 0
    real: float = 0.0  # monotonic

    @property
    def open(self) -> bool:
        """Return whether it still waits for its trigger."""
        return self.status == "NEW"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One thing that happened to an order, for the streams."""

    order: Order
    execution: str  # NEW, CANCELED, EXPIRED, TRADE, AMENDMENT
    fill: Fill | None = None
    request_id: str = ""  # client id of the cancel request
