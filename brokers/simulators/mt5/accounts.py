"""Know the broker's customers: credentials, account mode and what each may do."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal

from brokers.simulators.mt5 import constants as mt5

MODES = {
    "NETTING": mt5.ACCOUNT_MARGIN_MODE_RETAIL_NETTING,
    "HEDGING": mt5.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
}


@dataclass(slots=True, kw_only=True)
class Account:
    """One customer as the broker knows him; money in US dollars as text."""

    login: int
    password: str
    server: str = "Openbell-Demo"
    name: str = "Customer"
    mode: str = "HEDGING"
    balance: str = "100000.00"
    leverage: int = 100
    commission_per_lot: str = "3.50"
    swap_per_lot: str = "0"  # what closing one lot books as swap; positions are not rolled over one by one
    limit_orders: int = 200
    trade_allowed: bool = True  # by the server, for the account
    trade_expert: bool = True  # by the server, for programs
    algo_trading: bool = True  # the terminal's own switch
    api_disabled: bool = False  # the terminal's switch against Python
    utc_offset_s: int | None = None  # None follows the broker's convention
    requests_per_second: int | None = None  # None follows the profile
    login_error: bool = False  # fault: logins are refused for as long as this is set

    @property
    def hedges(self) -> bool:
        """Return whether several positions may be open in one symbol."""
        return self.mode == "HEDGING"

    @property
    def deposit_cents(self) -> int:
        """Return the money the account begins with, cents."""
        return int(Decimal(self.balance) * 100)

    def commission_cents(self, volume: int) -> int:
        """Return what one deal of a volume costs, cents."""
        return round(Decimal(self.commission_per_lot) * volume)

    def swap_cents(self, volume: int) -> int:
        """Return what closing a volume books as swap, cents; negative when it costs."""
        return round(Decimal(self.swap_per_lot) * volume)


class Accounts:
    """Hold the accounts by login."""

    def __init__(self) -> None:
        self.by_login: dict[int, Account] = {}

    def put(self, raw: Mapping[str, object]) -> Account:
        """Add an account, or change the named fields of a known one.

        Raises: ValueError for unknown or missing fields or an unknown mode.
        """
        names = {item.name for item in fields(Account)}
        unknown = sorted(raw.keys() - names)
        if unknown:
            raise ValueError(f"unknown account fields {unknown}; known are {sorted(names)}")
        if raw.get("mode", "HEDGING") not in MODES:
            raise ValueError(f"expected a mode of {sorted(MODES)}, got {raw['mode']!r}")
        login = raw.get("login")
        if not isinstance(login, int) or isinstance(login, bool) or login <= 0:
            raise ValueError(f"expected a positive integer as login, got {login!r}")
        known = self.by_login.get(login)
        if known is not None:
            for name, value in raw.items():
                setattr(known, name, value)
            return known
        if "password" not in raw:
            raise ValueError(f"account {login} lacks a password")
        self.by_login[login] = Account(**raw)  # type: ignore[arg-type]  # names are checked above
        return self.by_login[login]
