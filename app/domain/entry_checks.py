"""Check what people type: names, source addresses, broker credentials."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from app.domain.accounts import BrokerCode
from app.domain.errors import InvalidInputError
from app.domain.ports import Credentials

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
MIN_PASSWORD_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialField:
    """Say what one part of a broker's credentials looks like, in words and as a pattern."""

    name: str
    expected: str
    pattern: str
    is_optional: bool = False


_KOTAK_NEO = (
    CredentialField(
        name="mobile_number",
        expected="the country code and number, like +919812345678",
        pattern=r"\+\d{8,15}",
    ),
    CredentialField(name="ucc", expected="the client code, letters and digits", pattern=r"[A-Za-z0-9]{3,16}"),
    CredentialField(
        name="consumer_key", expected="the token of the Trade API application", pattern=r"[^\s,]{8,}"
    ),
    CredentialField(
        name="totp_secret",
        expected="the base32 secret of the TOTP registration, 16 letters and digits 2-7 or more",
        pattern=r"[A-Z2-7]{16,}=*",
    ),
    CredentialField(name="mpin", expected="6 digits", pattern=r"\d{6}"),
)


_BINANCE = (
    CredentialField(
        name="api_key", expected="the API key, letters and digits", pattern=r"[A-Za-z0-9]{16,128}"
    ),
    CredentialField(
        name="api_secret", expected="the API secret, letters and digits", pattern=r"[A-Za-z0-9]{16,128}"
    ),
    CredentialField(
        name="symbols",
        expected="up to ten symbols that the account trades, like BTCUSDT,ETHUSDT",
        pattern=r"[A-Z0-9]{2,20}(,[A-Z0-9]{2,20}){0,9}",
        is_optional=True,
    ),
)
_MT5 = (
    CredentialField(name="login", expected="the account number, digits", pattern=r"\d{1,12}"),
    CredentialField(name="password", expected="the account's trading password", pattern=r".{1,64}"),
    CredentialField(
        name="server", expected="the broker's trade server, like Broker-Demo", pattern=r"\S{1,64}"
    ),
    CredentialField(
        name="agent_url",
        expected="the address of this account's mt5-agent, like https://10.0.0.5:8701",
        pattern=r"https?://[^\s/]+",
    ),
    CredentialField(
        name="agent_token", expected="the token that the mt5-agent was started with", pattern=r"\S{16,}"
    ),
)


_FIELDS: Mapping[BrokerCode, tuple[CredentialField, ...]] = {
    BrokerCode.KOTAK_NEO: _KOTAK_NEO,
    BrokerCode.BINANCE_SPOT: _BINANCE,
    BrokerCode.BINANCE_FUTURES: _BINANCE,
    BrokerCode.MT5: _MT5,
    BrokerCode.PAPER: (),
}


def credential_fields(broker: BrokerCode) -> tuple[CredentialField, ...]:
    """Return what a login at this broker needs; nothing for paper."""
    return _FIELDS[broker]


def needs_totp(broker: BrokerCode) -> bool:
    """Whether a login at this broker spends a one-time code."""
    return any(rule.name == "totp_secret" for rule in credential_fields(broker))


def credential_faults(broker: BrokerCode, fields: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with credentials, by field; never a value, because it may be a secret."""
    rules = {rule.name: rule for rule in credential_fields(broker)}
    faults = {
        name: f"expected one of {', '.join(rules) or 'no fields'}" for name in fields if name not in rules
    }
    for rule in rules.values():
        value = fields.get(rule.name, "")
        if value == "" and rule.is_optional:
            continue
        if value == "":
            faults[rule.name] = f"expected {rule.expected}, got nothing"
        elif re.fullmatch(rule.pattern, value) is None:
            faults[rule.name] = f"expected {rule.expected}, got {len(value)} characters of another form"
    return faults


def parse_credentials(broker: BrokerCode, fields: Mapping[str, str]) -> Credentials:
    """Return complete credentials. Raises InvalidInputError naming each wrong field, never a value."""
    faults = credential_faults(broker, fields)
    if faults:
        raise InvalidInputError("\n".join(f"{name}: {fault}" for name, fault in faults.items()))
    return Credentials(fields=dict(fields))


def check_name(kind: str, name: str) -> str:
    """Return a name that is safe in addresses and commands. Raises InvalidInputError."""
    if _NAME.fullmatch(name) is None:
        raise InvalidInputError(
            f"expected the name of {kind} to be 1 to 64 of a-z 0-9 . _ @ - and to start with a letter or "
            f"digit, got {name!r}"
        )
    return name


def check_egress(egress: str) -> str:
    """Return a source address in its one spelling, or "". Raises InvalidInputError."""
    if egress == "":
        return ""
    try:
        return str(ip_address(egress))
    except ValueError as e:
        raise InvalidInputError(
            f'expected an IP address of this machine, or "" for the default route, got {egress!r}'
        ) from e


def check_password(password: str) -> str:
    """Return a password that is long enough. Raises InvalidInputError."""
    if len(password) < MIN_PASSWORD_LENGTH:
        raise InvalidInputError(
            f"expected a password of at least {MIN_PASSWORD_LENGTH} characters, got {len(password)}"
        )
    return password
