"""Build domain values for tests: a NIFTY option, its market, a deployment, an account at ease."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from app.domain.accounts import TradingState
from app.domain.deployments import Deployment, DeploymentState
from app.domain.errors import NotFoundError
from app.domain.ids import (
    AccountId,
    BrokerOrderId,
    DeploymentId,
    InstrumentId,
    SignalKey,
    UserId,
    client_order_id,
)
from app.domain.instruments import (
    Instrument,
    InstrumentKind,
    OptionRight,
    OptionTerms,
    Venue,
    index_id,
    option_id,
)
from app.domain.market_data import Tick
from app.domain.orders import (
    OrderIntent,
    OrderRole,
    OrderStatus,
    OrderType,
    ProtectionTerms,
    Side,
    TimeInForce,
)
from app.domain.reports import OrderReport
from app.domain.risk.net_pnl import NetPnl
from app.domain.risk.state import OpenPosition, Quote, RiskState
from app.domain.signals import Signal, SignalKind, SignalLeg

NOW = datetime(2026, 11, 23, 3, 50, tzinfo=UTC)  # 09:20 IST
OPEN = datetime(2026, 11, 23, 3, 45, tzinfo=UTC)
SQUARE_OFF = datetime(2026, 11, 23, 9, 42, tzinfo=UTC)
KEY = SignalKey("2026-11-23:straddle")
DEPLOYMENT_ID = DeploymentId(7)
ACCOUNT_ID = AccountId(3)


PERPETUAL = Instrument(
    instrument_id=InstrumentId("BTCUSDT-PERP.BINANCE"),
    venue=Venue.BINANCE,
    kind=InstrumentKind.PERPETUAL,
    segment="um_futures",
    broker_symbol="BTCUSDT",
    broker_token="BTCUSDT",
    tick_size=Decimal("0.10"),
    lot_size=Decimal("0.001"),
    freeze_qty=Decimal(120),
    min_notional=Decimal(100),
    currency="USDT",
)
FOREX = Instrument(
    instrument_id=InstrumentId("EURUSD.MT5"),
    venue=Venue.MT5,
    kind=InstrumentKind.FOREX,
    segment="forex",
    broker_symbol="EURUSD",
    broker_token="EURUSD",
    tick_size=Decimal("0.00001"),
    lot_size=Decimal(1_000),
    freeze_qty=Decimal(10_000_000),
    contract_size=Decimal(100_000),
    currency="USD",
)


def option(right: OptionRight = OptionRight.CALL, *, strike: int = 26000, lot: int = 65) -> Instrument:
    """A NIFTY weekly option with today's real terms."""
    expiry, at = date(2026, 11, 23), Decimal(strike)
    return Instrument(
        instrument_id=option_id("NIFTY", expiry=expiry, strike=at, right=right),
        venue=Venue.NSE,
        kind=InstrumentKind.OPTION,
        segment="nse_fo",
        broker_symbol=f"NIFTY26NOV{strike}{right}",
        broker_token=f"{strike}{right}",
        tick_size=Decimal("0.05"),
        lot_size=Decimal(lot),
        freeze_qty=Decimal(1800),
        option=OptionTerms(underlying=index_id("NIFTY"), expiry=expiry, strike=at, right=right),
    )


def index() -> Instrument:
    """The NIFTY index, which cannot be bought."""
    return Instrument(
        instrument_id=index_id("NIFTY"),
        venue=Venue.NSE,
        kind=InstrumentKind.INDEX,
        segment="nse_cm",
        broker_symbol="Nifty 50",
        broker_token="26000",
        tick_size=Decimal("0.05"),
        lot_size=Decimal(1),
    )


CALL, PUT = option(), option(OptionRight.PUT)


def tick(last: str, *, bid: str | None = None, ask: str | None = None, instrument: Instrument = CALL) -> Tick:
    """One price as of NOW."""
    return Tick(
        instrument_id=instrument.instrument_id,
        last=Decimal(last),
        bid=None if bid is None else Decimal(bid),
        ask=None if ask is None else Decimal(ask),
        ts_event=NOW,
        ts_init=NOW,
        sequence=1,
    )


@dataclass(frozen=True, slots=True)
class Market:
    """A market at rest, as strategies and sizing see it."""

    instruments: Mapping[InstrumentId, Instrument]
    ticks: Mapping[InstrumentId, Tick] = field(default_factory=dict)

    def tick(self, instrument_id: InstrumentId) -> Tick | None:
        """Return the latest tick."""
        return self.ticks.get(instrument_id)

    def instrument(self, instrument_id: InstrumentId) -> Instrument:
        """Return the terms."""
        if instrument_id not in self.instruments:
            raise NotFoundError(f"expected an instrument of the day, got {instrument_id}")
        return self.instruments[instrument_id]

    def options(self, underlying: InstrumentId) -> Sequence[Instrument]:
        """Return the options of an underlying."""
        return [i for i in self.instruments.values() if i.option and i.option.underlying == underlying]


def market(*ticks: Tick) -> Market:
    """CALL and PUT with these ticks; 100 and 95 unless said otherwise."""
    given = ticks or (tick("100"), tick("95", instrument=PUT))
    return Market(
        {i.instrument_id: i for i in (CALL, PUT, index())}, {one.instrument_id: one for one in given}
    )


def deployment(*, state: DeploymentState = DeploymentState.ACTIVE, number: int = 7) -> Deployment:
    """A deployment of a straddle."""
    return Deployment(
        deployment_id=DeploymentId(number),
        user_id=UserId(1),
        account_id=ACCOUNT_ID,
        name="straddle",
        strategy="short_straddle",
        params={},
        limits={},
        state=state,
        state_reason="",
    )


def signal_leg(
    instrument: Instrument = CALL, *, side: Side = Side.SELL, lots: int = 1, is_hedge: bool = False
) -> SignalLeg:
    """One leg with a stop of 25 %."""
    return SignalLeg(
        instrument_id=instrument.instrument_id,
        side=side,
        lots=lots,
        reference_price=Decimal(100),
        protection=ProtectionTerms(stop_fraction=Decimal("0.25")),
        is_hedge=is_hedge,
    )


def enter(*legs: SignalLeg, key: str = KEY) -> Signal:
    """A wish to open; a one-lot straddle unless said otherwise."""
    return Signal(
        key=SignalKey(key),
        kind=SignalKind.ENTER,
        reason="09:20",
        valid_for_s=Decimal(5),
        legs=legs or (signal_leg(), signal_leg(PUT)),
    )


def leave(key: str = "2026-11-23:out") -> Signal:
    """A wish to close everything."""
    return Signal(key=SignalKey(key), kind=SignalKind.EXIT, reason="15:12", valid_for_s=Decimal(5))


def intent(  # the parts of an order
    *,
    side: Side = Side.SELL,
    quantity: int = 65,
    price: str | None = "97",
    role: OrderRole = OrderRole.ENTRY,
    leg: int = 0,
    part: int = 0,
    instrument: Instrument = CALL,
) -> OrderIntent:
    """An order; a one-lot entry unless said otherwise."""
    return OrderIntent(
        client_order_id=client_order_id(DEPLOYMENT_ID, KEY, leg=leg, attempt=0, part=part),
        account_id=ACCOUNT_ID,
        deployment_id=DEPLOYMENT_ID,
        signal_key=KEY,
        leg=leg,
        part=part,
        instrument_id=instrument.instrument_id,
        side=side,
        role=role,
        order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=Decimal(quantity),
        price=None if price is None else Decimal(price),
        trigger_price=None,
        valid_until=None if role.is_exit else NOW + timedelta(seconds=5),
    )


def quote(last: str | None = "100", *, age_s: float = 0.2, instrument: Instrument = CALL) -> Quote:
    """What the gate knows of an instrument."""
    return Quote(
        instrument=instrument,
        last=None if last is None else Decimal(last),
        age=None if last is None else timedelta(seconds=age_s),
    )


def at_ease() -> RiskState:
    """An account that may do everything and has done nothing."""
    return RiskState(
        account_state=TradingState.ACTIVE,
        user_state=TradingState.ACTIVE,
        tenant_state=TradingState.ACTIVE,
        entries_open_at=OPEN,
        entries_close_at=SQUARE_OFF,
        pnl=NetPnl(),
        entries_this_second=0,
        quotes={CALL.instrument_id: quote(), PUT.instrument_id: quote("95", instrument=PUT)},
    )


def holding(net_qty: int, *, exiting_qty: int = 0, base: RiskState | None = None) -> RiskState:
    """An account whose deployment holds CALL."""
    position = OpenPosition(
        deployment_id=DEPLOYMENT_ID,
        instrument_id=CALL.instrument_id,
        net_qty=Decimal(net_qty),
        price=Decimal(100),
        exiting_qty=Decimal(exiting_qty),
    )
    return replace(base or at_ease(), positions=(position,))


def report(
    broker_order_id: str = "B1",
    *,
    tag: str = "",
    status: OrderStatus = OrderStatus.ACCEPTED,
    filled: int = 0,
    version: int = 1,
) -> OrderReport:
    """One order as the broker tells it."""
    return OrderReport(
        broker_order_id=BrokerOrderId(broker_order_id),
        tag=tag,
        broker_symbol=CALL.broker_symbol,
        side=Side.SELL,
        quantity=Decimal(65),
        filled=Decimal(filled),
        avg_px=Decimal(97) if filled else None,
        price=Decimal(97),
        trigger_price=None,
        status=status,
        reject_reason="",
        version=version,
        updated_at=NOW,
    )
