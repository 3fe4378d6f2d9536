"""Name the markets that the platform trades: where, through which brokers, and how their day runs."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NewType
from zoneinfo import ZoneInfo

from app.domain.accounts import BrokerCode
from app.domain.ids import InstrumentId
from app.domain.instruments import InstrumentKind, Venue, venue_of
from app.domain.phases import INDIA, PhaseTimes

_NEW_YORK = ZoneInfo("America/New_York")
_UTC = ZoneInfo("UTC")
_ZERO = timedelta(0)


Currency = NewType("Currency", str)
"""The code of some money, as the venue writes it ("INR", "USDT", "JPY"); two currencies are never added."""
INR, USD, USDT = Currency("INR"), Currency("USD"), Currency("USDT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """Carry an amount with its currency."""

    amount: Decimal
    currency: Currency


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Describe one market.

    `venue` names it; `venues` are all whose instruments it trades (BSE's options come through the same
    brokers, feed and hours as NSE's); `products` are what may be held. `code` names its queues and lanes;
    accounts are held in `currency`. Its trading date changes `day_begins_before_midnight` ahead of midnight
    in `timezone`: forex counts Sunday 17:00 in New York as Monday.
    """

    venue: Venue
    segment: str
    code: str
    brokers: frozenset[BrokerCode]
    currency: Currency
    timezone: ZoneInfo
    products: tuple[InstrumentKind, ...]
    times: PhaseTimes = field(default_factory=PhaseTimes)
    day_begins_before_midnight: timedelta = _ZERO
    beside: tuple[Venue, ...] = ()

    @property
    def venues(self) -> frozenset[Venue]:
        """Every venue of the market's instruments."""
        return frozenset({self.venue, *self.beside})

    @property
    def venue_brokers(self) -> frozenset[BrokerCode]:
        """The brokers with contracts and prices of their own: all but paper."""
        return self.brokers - {BrokerCode.PAPER}

    @property
    def paper_brokers(self) -> frozenset[BrokerCode]:
        """Paper, where the market has it."""
        return self.brokers & {BrokerCode.PAPER}

    def day_of(self, at: datetime) -> date:
        """Return the trading date at a moment (aware)."""
        local = at.astimezone(self.timezone).replace(tzinfo=None)
        return (local + self.day_begins_before_midnight).date()


def _around_the_clock(*, square_off_before_close: timedelta, timezone: ZoneInfo) -> PhaseTimes:
    """Return the phases of a market whose sessions follow each other: all of them at the open."""
    return PhaseTimes(
        prepare_before_open=_ZERO,
        login_before_open=_ZERO,
        verify_before_open=_ZERO,
        arm_before_open=_ZERO,
        square_off_before_close=square_off_before_close,
        broker_square_off=None,
        timezone=timezone,
        close_expires_after_close=timedelta(hours=12),
    )


NSE = Market(
    venue=Venue.NSE,
    segment="FO",
    code="kotak_neo",
    brokers=frozenset({BrokerCode.KOTAK_NEO, BrokerCode.PAPER}),
    currency=INR,
    timezone=INDIA,
    products=(InstrumentKind.OPTION,),
    beside=(Venue.BSE,),
)
BINANCE = Market(
    venue=Venue.BINANCE,
    segment="SPOT",
    code="binance",
    brokers=frozenset({BrokerCode.BINANCE_SPOT, BrokerCode.BINANCE_FUTURES}),
    currency=USDT,
    timezone=_UTC,
    products=(InstrumentKind.SPOT, InstrumentKind.PERPETUAL),
    times=_around_the_clock(square_off_before_close=timedelta(minutes=5), timezone=_UTC),
)
MT5 = Market(
    venue=Venue.MT5,
    segment="FOREX",
    code="mt5",
    brokers=frozenset({BrokerCode.MT5}),
    currency=USD,
    timezone=_NEW_YORK,
    products=(InstrumentKind.FOREX,),
    times=_around_the_clock(square_off_before_close=timedelta(minutes=15), timezone=_NEW_YORK),
    day_begins_before_midnight=timedelta(hours=7),
)
MARKETS = {market.venue: market for market in (NSE, BINANCE, MT5)}
"""Every market by its venue; a venue without one is not traded yet."""


def market_at(venue: Venue) -> Market:
    """Return the market that trades a venue's instruments."""
    return next(market for market in MARKETS.values() if venue in market.venues)


def market_of(broker: BrokerCode) -> Market:
    """Return the market that a broker gives access to."""
    return next(market for market in MARKETS.values() if broker in market.brokers)


def currency_of(instrument_id: InstrumentId, listed: str | None = None) -> Currency:
    """Return the currency that an instrument's profit and loss count in: the one it is quoted in.

    Args: listed: what the contract master says. Without it, India is in rupees, and elsewhere only a name
        that ends with the market's currency counts in it; any other name is a currency of its own, so that
        nothing is added to the wrong sum.

    Raises:
        InvalidInputError: the id does not end with a venue.
    """
    market = market_at(venue_of(instrument_id))
    if listed:
        return Currency(listed)
    symbol = instrument_id.rpartition(".")[0].removesuffix("-PERP")
    is_known = market.currency == INR or symbol.endswith(market.currency)
    return market.currency if is_known else Currency(symbol)
