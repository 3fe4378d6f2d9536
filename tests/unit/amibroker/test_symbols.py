"""Check the names that others give to our instruments."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.amibroker.symbols import instrument_named, name_of
from app.domain.errors import InvalidInputError
from app.domain.instruments import OptionRight, Venue, option_id


@pytest.mark.parametrize(
    ("symbol", "exchange", "expected"),
    [
        ("NIFTY24NOV2626050CE", "NFO", "NIFTY-20261124-26050-CE.NSE"),
        ("nifty24nov2626050pe", "nfo", "NIFTY-20261124-26050-PE.NSE"),
        ("VEDL24APR25292.5CE", "NFO", "VEDL-20250424-292.5-CE.NSE"),
        ("NIFTYNXT5030JAN2568000CE", "NFO", "NIFTYNXT50-20250130-68000-CE.NSE"),
        ("SENSEX03JAN2572000PE", "BFO", "SENSEX-20250103-72000-PE.BSE"),
        ("NIFTY24NOV2626050CE-NFO", "", "NIFTY-20261124-26050-CE.NSE"),
        ("BTCUSDT", "CRYPTO", "BTCUSDT.BINANCE"),
        ("BTCUSDT-PERP-CRYPTO", "", "BTCUSDT-PERP.BINANCE"),
        ("EURUSD", "FOREX", "EURUSD.MT5"),
        ("NIFTY-20261124-26050-CE.NSE", "", "NIFTY-20261124-26050-CE.NSE"),
        ("NIFTY-20261124-26050-CE.NSE", "NFO", "NIFTY-20261124-26050-CE.NSE"),
    ],
)
def test_a_name_finds_its_instrument(symbol: str, exchange: str, expected: str) -> None:
    assert instrument_named(symbol, exchange) == expected


@pytest.mark.parametrize(
    ("symbol", "exchange"),
    [
        ("NIFTY30JAN25FUT", "NFO"),
        ("SBIN", "NSE"),
        ("SBIN", ""),
        ("", "NFO"),
        ("NIFTY31FEB2526050CE", "NFO"),
        ("NIFTY24XXX2626050CE", "NFO"),
        ("x" * 65, "NFO"),
    ],
)
def test_a_name_that_means_nothing_here_is_refused(symbol: str, exchange: str) -> None:
    with pytest.raises(InvalidInputError, match="symbol: expected"):
        instrument_named(symbol, exchange)


@given(
    name=st.sampled_from(["NIFTY", "BANKNIFTY", "NIFTYNXT50", "SENSEX"]),
    expiry=st.dates(date(2019, 1, 1), date(2035, 12, 31)),
    strike=st.integers(1, 10**6).map(lambda n: Decimal(n) / 2),
    right=st.sampled_from(OptionRight),
    venue=st.sampled_from([Venue.NSE, Venue.BSE]),
)
def test_every_option_is_named_and_found_again(
    name: str, expiry: date, strike: Decimal, right: OptionRight, venue: Venue
) -> None:
    instrument_id = option_id(name, expiry=expiry, strike=strike, right=right, venue=venue)

    assert instrument_named(*name_of(instrument_id)) == instrument_id


@pytest.mark.parametrize("instrument_id", ["BTCUSDT.BINANCE", "BTCUSDT-PERP.BINANCE", "EURUSD.MT5"])
def test_coins_and_currencies_are_named_and_found_again(instrument_id: str) -> None:
    assert instrument_named(*name_of(instrument_id)) == instrument_id
