"""What people type is refused with words that say what was expected, and never repeat a secret."""

import pytest

from app.domain.accounts import BrokerCode
from app.domain.entry_checks import (
    check_egress,
    check_name,
    check_password,
    credential_faults,
    credential_fields,
    needs_totp,
    parse_credentials,
)
from app.domain.errors import InvalidInputError

GOOD = {
    "mobile_number": "+919812345678",
    "ucc": "AB123",
    "consumer_key": "0f3c9a51-77aa",
    "totp_secret": "JBSWY3DPEHPK3PXP",
    "mpin": "123456",
}


@pytest.mark.parametrize("name", ["asha", "a", "a.b-c_d@e", "0x", "a" * 64])
def test_plain_names_pass(name: str) -> None:
    assert check_name("a user", name) == name


@pytest.mark.parametrize("name", ["", "Asha", "a/b", "a b", "-a", "a" * 65, "a\n"])
def test_names_that_break_commands_and_addresses_are_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="expected the name of a user"):
        check_name("a user", name)


@pytest.mark.parametrize(
    ("egress", "expected"), [("", ""), ("203.0.113.7", "203.0.113.7"), ("2001:DB8::0:1", "2001:db8::1")]
)
def test_an_egress_has_one_spelling(egress: str, expected: str) -> None:
    assert check_egress(egress) == expected


@pytest.mark.parametrize("egress", ["eth0", "203.0.113.256", "203.0.113.7:80", " 203.0.113.7"])
def test_an_egress_that_is_no_address_is_refused(egress: str) -> None:
    with pytest.raises(InvalidInputError, match="expected an IP address"):
        check_egress(egress)


def test_a_short_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(InvalidInputError, match="at least 12 characters, got 11") as caught:
        check_password("hunter2-abc")
    assert "hunter2" not in str(caught.value)
    assert check_password("hunter2-abcd") == "hunter2-abcd"


def test_complete_kotak_credentials_pass() -> None:
    assert parse_credentials(BrokerCode.KOTAK_NEO, GOOD).fields == GOOD


@pytest.mark.parametrize("name", sorted(GOOD))
def test_each_missing_field_is_named(name: str) -> None:
    fields = {key: value for key, value in GOOD.items() if key != name}

    assert list(credential_faults(BrokerCode.KOTAK_NEO, fields)) == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mobile_number", "9876500000"),
        ("ucc", "A"),
        ("consumer_key", "two words here"),
        ("totp_secret", "not-base32-at-all"),
        ("mpin", "12345"),
    ],
)
def test_a_wrong_secret_is_refused_without_repeating_it(name: str, value: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{name}: expected") as caught:
        parse_credentials(BrokerCode.KOTAK_NEO, GOOD | {name: value})
    assert value not in str(caught.value)


def test_unknown_fields_are_refused() -> None:
    assert credential_faults(BrokerCode.KOTAK_NEO, GOOD | {"pin": "1"}) == {
        "pin": "expected one of mobile_number, ucc, consumer_key, totp_secret, mpin"
    }


def test_every_broker_says_what_it_needs() -> None:
    assert [broker for broker in BrokerCode if not credential_fields(broker)] == [BrokerCode.PAPER]


def test_paper_needs_no_credentials() -> None:
    assert credential_fields(BrokerCode.PAPER) == ()
    assert credential_faults(BrokerCode.PAPER, {"pin": "1"}) == {"pin": "expected one of no fields"}


BINANCE = {"api_key": "k" * 64, "api_secret": "s" * 64}
MT5 = {
    "login": "51234567",
    "password": "trade-me",
    "server": "Broker-Demo",
    "agent_url": "https://10.0.0.5:8701",
    "agent_token": "t" * 24,
}


@pytest.mark.parametrize(
    ("broker", "fields"),
    [(BrokerCode.BINANCE_SPOT, BINANCE), (BrokerCode.BINANCE_FUTURES, BINANCE), (BrokerCode.MT5, MT5)],
)
def test_each_field_of_the_other_brokers_is_needed(broker: BrokerCode, fields: dict[str, str]) -> None:
    assert parse_credentials(broker, fields).fields == fields
    for name in fields:
        assert list(credential_faults(broker, fields | {name: ""})) == [name]


def test_symbols_of_binance_may_be_left_out_but_not_be_nonsense() -> None:
    assert credential_faults(BrokerCode.BINANCE_SPOT, BINANCE | {"symbols": "BTCUSDT,ETHUSDT"}) == {}
    faults = credential_faults(BrokerCode.BINANCE_SPOT, BINANCE | {"symbols": "btc; drop"})
    assert list(faults) == ["symbols"]


def test_only_kotak_neo_spends_a_one_time_code() -> None:
    assert [broker for broker in BrokerCode if needs_totp(broker)] == [BrokerCode.KOTAK_NEO]
