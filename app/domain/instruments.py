"""Describe what can be traded: indices, and options with their terms."""

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


class OptionRight(StrEnum):
    """Tell a call from a put."""

    CALL = "CE"
    PUT = "PE"


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
    the exchange takes in one order (zero: no such limit). `broker_symbol` and `broker_token` are
    the venue's own names and are used by adapters only.
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
    option: OptionTerms | None = None

    def __post_init__(self) -> None:
        if self.tick_size <= 0 or self.lot_size <= 0 or self.freeze_qty < 0:
            raise InvalidInputError(
                f"{self.instrument_id}: expected positive tick and lot, freeze quantity >= 0, "
                f"got tick {self.tick_size}, lot {self.lot_size}, freeze {self.freeze_qty}"
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


def index_id(name: str, venue: Venue = Venue.NSE) -> InstrumentId:
    """Return the id of an index, for example "NIFTY.NSE"."""
    return InstrumentId(f"{name}.{venue}")


def option_id(
    underlying: str, *, expiry: date, strike: Decimal, right: OptionRight, venue: Venue = Venue.NSE
) -> InstrumentId:
    """Return the id of an option, for example "NIFTY-20190103-10850-CE.NSE"."""
    return InstrumentId(f"{underlying}-{expiry:%Y%m%d}-{strike.normalize():f}-{right}.{venue}")
