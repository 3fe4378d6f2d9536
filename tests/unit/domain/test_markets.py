"""Each market knows its brokers and which trading date it has."""

from datetime import UTC, date, datetime

import pytest

from app.domain.accounts import BrokerCode
from app.domain.errors import InvalidInputError
from app.domain.ids import InstrumentId
from app.domain.instruments import Venue, venue_of
from app.domain.markets import (
    BINANCE,
    INR,
    MARKETS,
    MT5,
    NSE,
    USD,
    USDT,
    Currency,
    Market,
    currency_of,
    market_at,
    market_of,
)


@pytest.mark.parametrize("broker", BrokerCode)
def test_every_broker_gives_access_to_one_market(broker: BrokerCode) -> None:
    assert [m for m in MARKETS.values() if broker in m.brokers] == [market_of(broker)]


@pytest.mark.parametrize(
    ("market", "at", "day"),
    [
        (NSE, datetime(2026, 11, 24, 18, 29, tzinfo=UTC), date(2026, 11, 24)),
        (NSE, datetime(2026, 11, 24, 18, 30, tzinfo=UTC), date(2026, 11, 25)),
        (BINANCE, datetime(2026, 11, 24, 23, 59, tzinfo=UTC), date(2026, 11, 24)),
        (BINANCE, datetime(2026, 11, 25, 0, 0, tzinfo=UTC), date(2026, 11, 25)),
        # 17:00 in New York is 22:00 UTC in winter and 21:00 in summer.
        (MT5, datetime(2026, 11, 24, 21, 59, tzinfo=UTC), date(2026, 11, 24)),
        (MT5, datetime(2026, 11, 24, 22, 0, tzinfo=UTC), date(2026, 11, 25)),
        (MT5, datetime(2026, 7, 5, 20, 59, tzinfo=UTC), date(2026, 7, 5)),
        (MT5, datetime(2026, 7, 5, 21, 0, tzinfo=UTC), date(2026, 7, 6)),
    ],
)
def test_the_trading_date_changes_with_the_market(market: Market, at: datetime, day: date) -> None:
    assert market.day_of(at) == day


def test_an_id_names_its_venue() -> None:
    assert venue_of(InstrumentId("NIFTY-20190103-10850-CE.NSE")) is Venue.NSE
    with pytest.raises(InvalidInputError, match="expected an id that ends with its venue, got 'X'"):
        venue_of(InstrumentId("NIFTY.X"))


@pytest.mark.parametrize("venue", Venue)
def test_every_venue_is_traded_in_one_market(venue: Venue) -> None:
    assert [m for m in MARKETS.values() if venue in m.venues] == [market_at(venue)]


def test_bse_options_belong_to_the_indian_market() -> None:
    assert market_at(Venue.BSE) is NSE


@pytest.mark.parametrize(
    ("name", "currency"),
    [
        ("NIFTY-20190103-10850-CE.NSE", INR),
        ("SENSEX.BSE", INR),
        ("BTCUSDT.BINANCE", USDT),
        ("BTCUSDT-PERP.BINANCE", USDT),
        ("EURUSD.MT5", USD),
        ("USDJPY.MT5", "USDJPY"),
        ("ETHBTC.BINANCE", "ETHBTC"),
    ],
)
def test_an_unlisted_instrument_never_counts_in_the_wrong_currency(name: str, currency: str) -> None:
    assert currency_of(InstrumentId(name)) == currency


@pytest.mark.parametrize(("name", "listed"), [("USDJPY.MT5", "JPY"), ("ETHBTC.BINANCE", "BTC")])
def test_profit_counts_in_the_currency_that_the_master_lists(name: str, listed: str) -> None:
    assert currency_of(InstrumentId(name), listed) == Currency(listed)


@pytest.mark.parametrize("market", MARKETS.values(), ids=lambda market: market.code)
def test_paper_has_no_contracts_and_prices_of_its_own(market: Market) -> None:
    assert market.venue_brokers
    assert BrokerCode.PAPER not in market.venue_brokers
    assert market.venue_brokers | market.paper_brokers == market.brokers
    assert market.paper_brokers == ({BrokerCode.PAPER} if market is NSE else set())
