"""Know the venue's customers: keys, allowed addresses, permissions and opening balances."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal

_OPENING = {"USDT": "100000", "BTC": "1"}


@dataclass(slots=True, kw_only=True)
class Account:
    """One customer as the venue knows him; an empty list of addresses allows every address."""

    name: str
    api_key: str
    api_secret: str
    allowed_ips: list[str] = field(default_factory=list)
    spot_balances: dict[str, str] = field(default_factory=lambda: dict(_OPENING))
    futures_usdt: str = "100000"
    can_trade: bool = True
    futures_enabled: bool = True
    revoked: bool = False  # the key was deleted at the venue

    def opening(self) -> dict[str, Decimal]:
        """Return the spot balances at the start."""
        return {asset: Decimal(amount) for asset, amount in self.spot_balances.items()}


class Accounts:
    """Find customers by key."""

    def __init__(self) -> None:
        self.by_name: dict[str, Account] = {}

    def put(self, raw: Mapping[str, object]) -> Account:
        """Add an account, or change the named fields of a known one.

        Raises: ValueError for unknown or missing fields, or a key that another account has.
        """
        names = {item.name for item in fields(Account)}
        unknown = sorted(raw.keys() - names)
        if unknown:
            raise ValueError(f"unknown account fields {unknown}; known are {sorted(names)}")
        name = str(raw.get("name") or "")
        holder = self.find(str(raw.get("api_key") or ""))
        if holder is not None and holder.name != name:
            raise ValueError(f"the key of account {name!r} belongs to {holder.name!r}")
        known = self.by_name.get(name)
        if known is not None:
            for field_name, value in raw.items():
                setattr(known, field_name, value)
            return known
        missing = sorted({"name", "api_key", "api_secret"} - raw.keys())
        if missing or not name:
            raise ValueError(f"account {name!r} lacks the fields {missing or ['name']}")
        self.by_name[name] = Account(**raw)  # type: ignore[arg-type]  # names are checked above
        return self.by_name[name]

    def find(self, api_key: str) -> Account | None:
        """Return the account of a key."""
        found = (account for account in self.by_name.values() if api_key and account.api_key == api_key)
        return next(found, None)
