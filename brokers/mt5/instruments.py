"""Turn the terminal's symbols into instruments. Pure; a value that is not understood raises ProtocolError."""

from collections.abc import Iterable, Sequence

from app.domain.ids import InstrumentId
from app.domain.instruments import Instrument, InstrumentKind, Venue
from brokers.mt5.values import Row, name_of, not_negative, positive, trimmed, whole

SEGMENT = "forex"
# SYMBOL_CALC_MODE_FOREX and SYMBOL_CALC_MODE_FOREX_NO_LEVERAGE; other modes are no exchange of currencies.
_FOREX_MODES = frozenset({0, 5})
_DISABLED, _CLOSE_ONLY = 0, 3


def instrument_id(symbol: str) -> InstrumentId:
    """Return the id of a symbol, for example "EURUSD.MT5"; brokers' suffixes stay."""
    return InstrumentId(f"{symbol}.{Venue.MT5}")


def is_tradable_forex(row: Row) -> bool:
    """Whether a symbol is a pair of currencies in which positions may be opened."""
    return whole(row, "trade_calc_mode") in _FOREX_MODES and whole(row, "trade_mode") not in (
        _DISABLED,
        _CLOSE_ONLY,
    )


def instrument(row: Row) -> Instrument:
    """Return one symbol's terms: a unit is one of its base currency, a lot the least step of volume."""
    symbol = name_of(row, "name")
    contract_size = positive(row, "trade_contract_size")
    return Instrument(
        instrument_id=instrument_id(symbol),
        venue=Venue.MT5,
        kind=InstrumentKind.FOREX,
        segment=SEGMENT,
        broker_symbol=symbol,
        broker_token=symbol,
        tick_size=not_negative(row, "trade_tick_size") or positive(row, "point"),
        lot_size=trimmed(positive(row, "volume_step") * contract_size),
        freeze_qty=trimmed(positive(row, "volume_max") * contract_size),
        contract_size=trimmed(contract_size),
        currency=name_of(row, "currency_profit"),
    )


def instruments(rows: Iterable[Row]) -> Sequence[Instrument]:
    """Return the tradable pairs of currencies among the symbols, each once."""
    found = {}
    for row in rows:
        if is_tradable_forex(row):
            one = instrument(row)
            found[one.instrument_id] = one
    return tuple(found.values())
