"""A session is data that another process can use, and says what is missing."""

import json
from datetime import timedelta

import pytest

from app.domain.accounts import BrokerCode, LoginReason
from app.domain.errors import LoginRefusedError, ProtocolError, SessionExpiredError
from app.domain.ports import BrokerSession, Credentials
from brokers.binance.session import checked_keys, restore_session
from tests.unit.binance.payloads import HandClock

KEYS = {"api_key": "k", "api_secret": "s"}


def _session(clock: HandClock, broker: BrokerCode = BrokerCode.BINANCE_SPOT) -> BrokerSession:
    secret = json.dumps({**KEYS, "symbols": ["BTCUSDT", "ETHUSDT"]})
    return BrokerSession(broker=broker, expires_at=clock.at + timedelta(hours=1), egress="", secret=secret)


@pytest.mark.parametrize("field", ["api_key", "api_secret"])
def test_missing_credentials_are_named(field: str) -> None:
    with pytest.raises(LoginRefusedError, match=field) as caught:
        checked_keys(Credentials(fields={**KEYS, field: " "}))

    assert caught.value.reason == LoginReason.NO_CREDENTIALS


def test_an_account_trades_bitcoin_unless_it_names_its_symbols() -> None:
    assert checked_keys(Credentials(fields=KEYS)).symbols == ("BTCUSDT",)
    named = {**KEYS, "symbols": "ETHUSDT, BTCUSDT,ETHUSDT"}
    assert checked_keys(Credentials(fields=named)).symbols == ("ETHUSDT", "BTCUSDT")


@pytest.mark.parametrize("symbols", ["btcusdt", "BTC/USDT", ",".join(f"A{n}USDT" for n in range(11))])
def test_symbols_that_cannot_be_followed_are_refused(symbols: str) -> None:
    with pytest.raises(LoginRefusedError, match="symbols"):
        checked_keys(Credentials(fields={**KEYS, "symbols": symbols}))


def test_a_record_gives_the_keys_back() -> None:
    clock = HandClock()

    keys = restore_session(_session(clock), BrokerCode.BINANCE_SPOT, clock=clock)

    assert (keys.api_key, keys.api_secret, keys.symbols) == ("k", "s", ("BTCUSDT", "ETHUSDT"))


def test_an_ended_session_and_one_of_another_broker_are_not_restored() -> None:
    clock = HandClock()
    with pytest.raises(ProtocolError):
        restore_session(_session(clock, BrokerCode.BINANCE_FUTURES), BrokerCode.BINANCE_SPOT, clock=clock)
    session = _session(clock)
    clock.at += timedelta(hours=1)
    with pytest.raises(SessionExpiredError):
        restore_session(session, BrokerCode.BINANCE_SPOT, clock=clock)
