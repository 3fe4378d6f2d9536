"""Name what the rules need from the outside world."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol, runtime_checkable

from app.domain.accounts import BrokerCode
from app.domain.ids import BrokerOrderId, ClientOrderId
from app.domain.instruments import Instrument
from app.domain.market_data import Tick
from app.domain.orders import OrderType, Side, TimeInForce
from app.domain.reports import (
    AccountEvent,
    Balance,
    FeedAlive,
    FillReport,
    FundingReport,
    Gap,
    OrderReport,
    PositionReport,
    Read,
    WriteResult,
)


class Clock(Protocol):
    """Tell the time. Aware UTC; the demo's clock runs faster between the moments that matter."""

    def now(self) -> datetime:
        """Return the platform's time (the exchange's day)."""

    def monotonic(self) -> float:
        """Return real seconds for durations, time-outs and leases."""

    def wall(self) -> datetime:
        """Return the machine's own UTC time, for measurements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Hold what a login needs, by the broker's own field names. Never logged, never returned."""

    fields: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Credentials({', '.join(sorted(self.fields))}: hidden)"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSession:
    """Hold a broker session as data, so that another process can restore it.

    `secret` is the adapter's own record (JSON text); it is encrypted at rest and never logged.
    """

    broker: BrokerCode
    expires_at: datetime
    egress: str
    secret: str

    def __repr__(self) -> str:
        return f"BrokerSession({self.broker}, expires {self.expires_at:%Y-%m-%d %H:%M}Z)"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """Ask a broker for one order. Prices lie on the tick, quantities are whole lots in units.

    `reduces_only` forbids the order to open exposure where the venue knows such a flag. `position_ref`
    names the venue's position to close where an account keeps several in one instrument (MT5 hedging).
    """

    client_order_id: ClientOrderId
    instrument: Instrument
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal | None
    trigger_price: Decimal | None
    reduces_only: bool = False
    position_ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChange:
    """Ask a broker to change a working order; every field is the new full value."""

    broker_order_id: BrokerOrderId
    instrument: Instrument
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal | None
    trigger_price: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """Declare what a broker can do; the contract suite skips only by this.

    `resting_time_in_force` is what an order that waits at the venue carries. Where `changes_in_place` is
    False, a working order cannot become another (type, price, quantity under the same broker order id): it
    is canceled and a new one is sent. Where `rests_stops` is False, a stop that closes a position cannot
    wait at the venue: we watch the price.
    """

    order_types: frozenset[OrderType]
    time_in_force: frozenset[TimeInForce]
    has_client_order_id_query: bool
    max_orders_per_second: int
    not_placed_after_s: float
    """How long after sending two clean reads may prove that an order does not exist."""
    resting_time_in_force: TimeInForce = TimeInForce.DAY
    changes_in_place: bool = True
    rests_stops: bool = True


class BrokerGateway(Protocol):
    """Act for one account at one broker. Thread-safe; writes never retry inside; reads raise BrokerError."""

    def capabilities(self) -> Capabilities:
        """Return what this broker can do."""

    def submit_order(self, request: OrderRequest, *, timeout_s: float) -> WriteResult:
        """Send one order, at most once. Never raises for the broker's doing."""

    def modify_order(self, change: OrderChange, *, timeout_s: float) -> WriteResult:
        """Change a working order."""

    def cancel_order(self, broker_order_id: BrokerOrderId, *, timeout_s: float) -> WriteResult:
        """Cancel a working order; asking twice is safe."""

    def request_orders(self) -> Read[Sequence[OrderReport]]:
        """Read today's orders."""

    def request_order(self, broker_order_id: BrokerOrderId) -> Read[OrderReport | None]:
        """Read one order."""

    def request_fills(self) -> Read[Sequence[FillReport]]:
        """Read today's fills."""

    def request_positions(self) -> Read[Sequence[PositionReport]]:
        """Read net positions."""

    def request_balance(self) -> Read[Balance]:
        """Read money and margin."""

    def request_egress_address(self) -> str:
        """Ask the broker which source address it sees."""

    def account_events(self) -> AsyncIterator[AccountEvent]:
        """Stream order and position news of the account, with Gap markers; ends with StreamDown."""

    def warm_up(self) -> None:
        """Open the connections that the next order will use, by a cheap read."""

    def close(self) -> None:
        """Release connections; the broker session stays valid."""


@runtime_checkable
class QuoteSource(Protocol):
    """Be a gateway whose broker tells a price when it is asked: exits ask when no feed tells them one."""

    def request_quote(self, instrument: Instrument, *, timeout_s: float) -> Tick | None:
        """Read the price of one instrument now; None before its first trade. Raises BrokerError."""


@runtime_checkable
class FundingSource(Protocol):
    """Be a gateway whose broker tells what it took and gave for holding positions between fills."""

    def request_fundings(self) -> Sequence[FundingReport]:
        """Read today's fundings, and those of the hour before; none where the account has no such thing.

        Raises BrokerError.
        """


class MarketFeed(Protocol):
    """Stream prices of one venue for all users through one upstream subscription."""

    def ticks(self, instruments: Sequence[Instrument]) -> AsyncIterator[Tick | Gap | FeedAlive]:
        """Yield ticks of these instruments, with Gap markers after interruptions.

        FeedAlive, each second or so, from a venue whose prices may rest for longer than a watched stop
        allows.
        """


class BrokerAdapter(Protocol):
    """Open the doors to one broker. One instance per process; holds what accounts may share (TLS context)."""

    code: BrokerCode

    def login(self, credentials: Credentials, *, egress: str, timeout_s: float) -> BrokerSession:
        """Log in (blocking). Raises LoginRefusedError or UnavailableError; a TOTP code is used once only."""

    def restore(self, session: BrokerSession) -> BrokerGateway:
        """Build a gateway from a session that another process opened."""

    def request_instruments(self, session: BrokerSession, day: date) -> Sequence[Instrument]:
        """Download the day's contract master."""

    def market_feed(self, session: BrokerSession) -> MarketFeed:
        """Open the price feed with the session of any account."""


AdapterFactory = Callable[[Mapping[str, str], Clock], BrokerAdapter]
