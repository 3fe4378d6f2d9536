"""Name our instruments as AmiBroker's and OpenAlgo's users do: NIFTY24NOV2626050CE on NFO, and back.

Source: OpenAlgo's symbol format, as of 2026-09: name, expiry as DDMMMYY, strike, CE or PE. Our own ids are
understood everywhere.
"""

import re
from datetime import date
from decimal import Decimal
from typing import Final

from app.domain.errors import InvalidInputError
from app.domain.ids import InstrumentId
from app.domain.instruments import OptionRight, Venue, option_id

_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_OPTION = re.compile(
    r"(?P<name>[A-Z][A-Z0-9]*?)(?P<day>\d{2})(?P<month>[A-Z]{3})(?P<year>\d{2})"
    r"(?P<strike>\d{1,7}(?:\.\d{1,2})?)(?P<right>CE|PE)"
)
_OWN_OPTION = re.compile(
    r"(?P<name>.+)-(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})-(?P<strike>[\d.]+)-(?P<right>CE|PE)"
)
_OPTION_VENUES: Final = {"NFO": Venue.NSE, "BFO": Venue.BSE}
_EXCHANGES: Final = {**_OPTION_VENUES, "CRYPTO": Venue.BINANCE, "FOREX": Venue.MT5}
_EXPECTED = "expected one of our ids, or an option on NFO or BFO like NIFTY24NOV2626050CE, or a CRYPTO symbol"


def instrument_named(symbol: str, exchange: str = "") -> InstrumentId:
    """Return the id of what a symbol names; without an exchange the symbol ends with it, like X-NFO.

    Raises:
        InvalidInputError: no name that we know how to read.
    """
    if len(symbol) > 64:
        raise InvalidInputError(f"symbol: {_EXPECTED}, got {len(symbol)} characters")
    if symbol.rpartition(".")[2] in Venue.__members__:
        return InstrumentId(symbol)
    if not exchange:
        symbol, _, exchange = symbol.rpartition("-")
    symbol, exchange = symbol.upper(), exchange.upper()
    venue = _EXCHANGES.get(exchange)
    if venue is None or not symbol:
        raise InvalidInputError(f"symbol: {_EXPECTED}, got {symbol!r} on {exchange!r}")
    if exchange not in _OPTION_VENUES:
        return InstrumentId(f"{symbol}.{venue}")
    found = _OPTION.fullmatch(symbol)
    if found is None or found["month"] not in _MONTHS:
        raise InvalidInputError(f"symbol: {_EXPECTED}, got {symbol!r} on {exchange!r}")
    try:
        expiry = date(2000 + int(found["year"]), _MONTHS.index(found["month"]) + 1, int(found["day"]))
    except ValueError as e:
        raise InvalidInputError(f"symbol: expected an expiry that exists, got {symbol!r}") from e
    right = OptionRight(found["right"])
    return option_id(found["name"], expiry=expiry, strike=Decimal(found["strike"]), right=right, venue=venue)


def name_of(instrument_id: str) -> tuple[str, str]:
    """Return the symbol and exchange by which others know an instrument."""
    name, _, venue = instrument_id.rpartition(".")
    exchange = next((word for word, at in _EXCHANGES.items() if at == venue), venue)
    found = _OWN_OPTION.fullmatch(name)
    if found is None:
        return name, exchange
    month = _MONTHS[int(found["month"]) - 1]
    return (
        f"{found['name']}{found['day']}{month}{found['year'][2:]}{found['strike']}{found['right']}",
        exchange,
    )
