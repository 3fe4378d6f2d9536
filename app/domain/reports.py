"""Carry what a broker tells us, in our words."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Generic, TypeVar

from app.domain.ids import BrokerOrderId, ClientOrderId, TradeId
from app.domain.markets import Money
from app.domain.orders import OrderStatus, Side

T = TypeVar("T")


class Outcome(StrEnum):
    """Classify the reply to a write. UNKNOWN is never an exception that somebody might retry."""

    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    NOT_SENT = "NOT_SENT"
    UNKNOWN = "UNKNOWN"


class FaultClass(StrEnum):
    """Classify why a write or login was not accepted (brokers.md 5)."""

    NONE = "none"
    INVALID = "invalid"
    FUNDS = "funds"
    MARKET_CLOSED = "market_closed"
    DUPLICATE = "duplicate"
    NOT_FOUND = "not_found"
    ALREADY_DONE = "already_done"
    AUTH_EXPIRED = "auth_expired"
    AUTH_DENIED = "auth_denied"
    IP_DENIED = "ip_denied"
    EGRESS_DOWN = "egress_down"
    THROTTLED = "throttled"
    BROKER_DOWN = "broker_down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    """Tell how a place, modify or cancel ended. `message` holds no secrets."""

    outcome: Outcome
    broker_order_id: BrokerOrderId | None = None
    fault: FaultClass = FaultClass.NONE
    code: str = ""
    message: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(Generic[T]):
    """Wrap a read. Only a `clean` one may be taken as proof that something is absent."""

    data: T
    as_of: datetime
    clean: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """Tell one order as the broker sees it. `client_order_id` is None when the tag was lost.

    `tag` is the raw tag of the broker, which may carry a suffix of the venue. `version` grows with
    each change of the order at the venue and orders reports that come out of turn.
    """

    broker_order_id: BrokerOrderId
    tag: str
    broker_symbol: str
    side: Side
    quantity: Decimal
    filled: Decimal
    avg_px: Decimal | None
    price: Decimal | None
    trigger_price: Decimal | None
    status: OrderStatus
    reject_reason: str
    version: int
    updated_at: datetime

    def has_tag(self, client_order_id: ClientOrderId) -> bool:
        """Whether the tag is ours, or ours with the suffix that the venue adds on cancel."""
        return self.tag == client_order_id or self.tag.startswith(f"{client_order_id}-")


@dataclass(frozen=True, slots=True, kw_only=True)
class FillReport:
    """Tell one fill. `trade_id` is unique per account and day; `fee` is None where the broker does not tell.

    A negative fee is money that the broker gave (a rebate). `swap` is what it took with this fill for having
    held the position overnight (negative: gave), None where there is none or it does not tell.
    """

    trade_id: TradeId
    broker_order_id: BrokerOrderId
    broker_symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    ts_event: datetime
    fee: Money | None = None
    swap: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingReport:
    """Tell what the broker took (negative: gave) for holding a position at a funding.

    `ref` is unique among the fundings of the account.
    """

    ref: str
    broker_symbol: str
    taken: Money
    ts_event: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionReport:
    """Tell one net position. Negative `net_qty` is short."""

    broker_symbol: str
    net_qty: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Tell the account's money in the account's currency (rupees at Kotak)."""

    available: Decimal
    used: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Say that events may have been missed; reconcile now."""

    reason: str


@dataclass(frozen=True, slots=True)
class FeedAlive:
    """Say that the venue answered and no price has changed: its market rests, the feed does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamDown:
    """Say that the order stream ended and cannot come back with this session."""

    reason: str
    is_session_dead: bool


AccountEvent = OrderReport | PositionReport | Gap | StreamDown
