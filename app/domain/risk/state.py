"""Hold everything that the risk gate looks at, as one value without any I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from app.domain.accounts import TradingState, strictest
from app.domain.ids import ClientOrderId, DeploymentId, InstrumentId, SignalKey
from app.domain.instruments import Instrument
from app.domain.markets import Currency, Money
from app.domain.numbers import ZERO
from app.domain.orders import OrderIntent, Side
from app.domain.risk.funds import Funds
from app.domain.risk.net_pnl import NetPnl
from app.domain.risk.trades import EndedTrade
from app.domain.time_bounds import TimeBounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Show what is known of an instrument: its terms, its last price and that price's real age.

    `last` and `age` are None before the first tick.
    """

    instrument: Instrument
    last: Decimal | None
    age: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEntry:
    """Reserve the exposure of an entry order that is approved and has not ended, UNKNOWN ones included.

    `leaves_qty` is what can still fill; what filled stands in the positions.
    """

    deployment_id: DeploymentId
    signal_key: SignalKey
    leg: int
    instrument_id: InstrumentId
    side: Side
    quantity: Decimal
    leaves_qty: Decimal
    price: Decimal

    @property
    def notional(self) -> Decimal:
        """Reserved rupees."""
        return self.leaves_qty * self.price


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPosition:
    """Show what a deployment holds of an instrument.

    `net_qty` is negative when short, `price` values it (mark, or entry price without one), `exiting_qty`
    is what its live exit orders can still close.
    """

    deployment_id: DeploymentId
    instrument_id: InstrumentId
    net_qty: Decimal
    price: Decimal
    exiting_qty: Decimal = ZERO

    @property
    def notional(self) -> Decimal:
        """Held rupees, long or short."""
        return abs(self.net_qty) * self.price


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskState:
    """Show one account as the gate sees it before a decision.

    Entries are allowed from `entries_open_at` (the bell) up to `entries_close_at` (the start of the
    square-off); both None when there is no session today. `known_ids` are the client order ids of the
    account's orders of the day; `unknown_instruments` have an order whose outcome is not proven (I3).
    `entries_today` counts the entry orders of the trading date that were not denied. `live_exits` are
    exit orders that may trade at the venue now, stops that were not hit left out. `ended_trades`, oldest
    first, are only there when the limits look back. `pnl` is the account's of the date, after charges,
    in its own currency, `pnls` the same in every currency that it trades in.
    `holds_one_way`: whether an exit must reduce what the whole account holds (`BrokerCode.holds_one_way`).
    `bounds` say what the clock asks of each instrument at the account's broker.
    `capital` is what a person says that the account has, None where nobody did. `funds` are what its broker
    told, only there when the limits check margin, and then None where there is no figure.
    """

    account_state: TradingState
    user_state: TradingState
    tenant_state: TradingState
    entries_open_at: datetime | None
    entries_close_at: datetime | None
    pnl: NetPnl
    entries_this_second: int
    quotes: Mapping[InstrumentId, Quote] = field(default_factory=dict)
    live_entries: tuple[LiveEntry, ...] = ()
    positions: tuple[OpenPosition, ...] = ()
    known_ids: frozenset[ClientOrderId] = frozenset()
    unknown_instruments: frozenset[InstrumentId] = frozenset()
    entries_today: int = 0
    live_exits: frozenset[tuple[InstrumentId, Side]] = frozenset()
    ended_trades: tuple[EndedTrade, ...] = ()
    capital: Money | None = None
    pnls: Mapping[Currency, NetPnl] = field(default_factory=dict)
    funds: Funds | None = None
    bounds: Mapping[InstrumentId, TimeBounds] = field(default_factory=dict)
    holds_one_way: bool = False

    @property
    def trading_state(self) -> TradingState:
        """The strictest state that applies to the account."""
        return strictest(self.account_state, self.user_state, self.tenant_state)

    @property
    def notional(self) -> Decimal:
        """Rupees held and reserved by the account."""
        held = sum((position.notional for position in self.positions), ZERO)
        return held + sum((entry.notional for entry in self.live_entries), ZERO)

    @property
    def exposed_instruments(self) -> frozenset[InstrumentId]:
        """Instruments that are held or being entered."""
        held = {position.instrument_id for position in self.positions if position.net_qty != 0}
        return frozenset(held | {entry.instrument_id for entry in self.live_entries})

    def position_of(self, deployment_id: DeploymentId, instrument_id: InstrumentId) -> OpenPosition | None:
        """Return what a deployment holds of an instrument, None when it never held any."""
        for position in self.positions:
            if position.deployment_id == deployment_id and position.instrument_id == instrument_id:
                return position
        return None

    def price_of(self, intent: OrderIntent) -> Decimal | None:
        """Return the price that values an order: its limit, else the last price, else None."""
        if intent.price is not None:
            return intent.price
        quote = self.quotes.get(intent.instrument_id)
        return None if quote is None else quote.last

    def need_of(self, intent: OrderIntent) -> Decimal | None:
        """Return the money that an entry binds, None where it cannot be told in the account's currency."""
        quote, price = self.quotes.get(intent.instrument_id), self.price_of(intent)
        if self.funds is None or quote is None or price is None:
            return None
        instrument = quote.instrument
        if instrument.currency != self.funds.available.currency:
            return None
        strike = None if instrument.option is None else instrument.option.strike
        return self.funds.terms.need(
            instrument.kind, intent.side, quantity=intent.quantity, price=price, strike=strike
        )

    def after(self, intent: OrderIntent) -> "RiskState":
        """Return the state that the next order is judged by, once `intent` was approved."""
        if intent.role.is_exit:
            return self._after_exit(intent)
        entry = LiveEntry(
            deployment_id=intent.deployment_id,
            signal_key=intent.signal_key,
            leg=intent.leg,
            instrument_id=intent.instrument_id,
            side=intent.side,
            quantity=intent.quantity,
            leaves_qty=intent.quantity,
            price=self.price_of(intent) or ZERO,
        )
        return replace(
            self,
            live_entries=(*self.live_entries, entry),
            entries_this_second=self.entries_this_second + 1,
            entries_today=self.entries_today + 1,
            known_ids=self.known_ids | {intent.client_order_id},
            funds=None if self.funds is None else self.funds.after(self.need_of(intent)),
        )

    def _after_exit(self, intent: OrderIntent) -> "RiskState":
        key = (intent.deployment_id, intent.instrument_id)
        return replace(
            self,
            known_ids=self.known_ids | {intent.client_order_id},
            positions=tuple(
                replace(position, exiting_qty=position.exiting_qty + intent.quantity)
                if (position.deployment_id, position.instrument_id) == key
                else position
                for position in self.positions
            ),
        )
