"""Describe what can be traded: indices, options with their terms, coins and currencies."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from app.domain.errors import InvalidInputError
from app.domain.ids import InstrumentId
from app.domain.numbers import ZERO


class Venue(StrEnum):
    """Name the place where an instrument trades."""

    NSE = "NSE"
    BSE = "BSE"
    BINANCE = "BINANCE"
    MT5 = "MT5"


class InstrumentKind(StrEnum):
    """Tell an index (never traded, only watched) from what can be bought."""

    INDEX = "INDEX"
    OPTION = "OPTION"
    SPOT = "SPOT"
    PERPETUAL = "PERPETUAL"
    FOREX = "FOREX"


class OptionRight(StrEnum):
    """Tell a call from a put."""

    CALL = "CE"
    PUT = "PE"


_DERIVATIVE = re.compile(r"(?P<name>.+)-(?:\d{8}-[\d.]+-(?:CE|PE)|PERP)\.(?P<venue>\w+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionTerms:
    """Fix an option contract. `strike` in rupees."""

    underlying: InstrumentId
    expiry: date
    strike: Decimal
    right: OptionRight


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """Describe one instrument of the day's contract master.

    Quantities are in units, `lot_size` units make a lot; `freeze_qty` is the most units that
    the exchange takes in one order (zero: no such limit), `min_notional` the least value of one in
    `currency`. A unit is what a quantity of 1 means: one share of an option, one bitcoin, one euro;
    `contract_size` units are one whole contract of the venue (a forex lot is 100,000 units).
    `broker_symbol` and `broker_token` are the venue's own names and are used by adapters only.
    """

    instrument_id: InstrumentId
    venue: Venue
    kind: InstrumentKind
    segment: str
    broker_symbol: str
    broker_token: str
    tick_size: Decimal
    lot_size: Decimal
    freeze_qty: Decimal = ZERO
    min_notional: Decimal = ZERO
    contract_size: Decimal = Decimal(1)
    currency: str = "INR"
    option: OptionTerms | None = None

    def __post_init__(self) -> None:
        if min(self.tick_size, self.lot_size, self.contract_size) <= 0:
            raise InvalidInputError(
                f"{self.instrument_id}: expected a positive tick, lot and contract size, "
                f"got {self.tick_size}, {self.lot_size} and {self.contract_size}"
            )
        if min(self.freeze_qty, self.min_notional) < 0:
            raise InvalidInputError(
                f"{self.instrument_id}: expected a freeze quantity and least notional >= 0, "
                f"got {self.freeze_qty} and {self.min_notional}"
            )
        if (self.kind is InstrumentKind.OPTION) != (self.option is not None):
            raise InvalidInputError(
                f"{self.instrument_id}: option terms must be given for options and only for them"
            )

    @property
    def max_order_qty(self) -> Decimal | None:
        """The largest whole-lot quantity of one order, or None without a limit."""
        if self.freeze_qty == 0:
            return None
        return max(self.freeze_qty // self.lot_size, Decimal(1)) * self.lot_size


def venue_of(instrument_id: InstrumentId) -> Venue:
    """Return the venue that an id ends with; raises InvalidInputError."""
    name = instrument_id.rpartition(".")[2]
    if name not in Venue.__members__:
        raise InvalidInputError(f"{instrument_id}: expected an id that ends with its venue, got {name!r}")
    return Venue(name)


def underlying_of(instrument_id: InstrumentId) -> InstrumentId:
    """Return what an option or perpetual is on, like "NIFTY.NSE"; anything else is its own underlying."""
    found = _DERIVATIVE.fullmatch(instrument_id)
    return instrument_id if found is None else InstrumentId(f"{found['name']}.{found['venue']}")


def index_id(name: str, venue: Venue = Venue.NSE) -> InstrumentId:
    """Return the id of an index, for example "NIFTY.NSE"."""
    return InstrumentId(f"{name}.{venue}")


def option_id(
    underlying: str, *, expiry: date, strike: Decimal, right: OptionRight, venue: Venue = Venue.NSE
) -> InstrumentId:
    """Return the id of an option, for example "NIFTY-20190103-10850-CE.NSE"."""
    return InstrumentId(f"{underlying}-{expiry:%Y%m%d}-{strike.normalize():f}-{right}.{venue}")
