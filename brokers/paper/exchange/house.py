"""Put the parts of one exchange together."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from brokers.paper.exchange.accounts import Accounts
from brokers.paper.exchange.bookkeeper import Bookkeeper
from brokers.paper.exchange.clock import Clock
from brokers.paper.exchange.exchange import Exchange
from brokers.paper.exchange.feeds import Feeds
from brokers.paper.exchange.limiter import Limiter
from brokers.paper.exchange.rules import Rules
from brokers.paper.exchange.store import Store

# "Today" for reads: a window instead of a date, because one account may trade venues of several zones.
_TODAY = timedelta(hours=18)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Hold one running exchange."""

    store: Store
    clock: Clock
    accounts: Accounts
    exchange: Exchange
    keeper: Bookkeeper
    feeds: Feeds
    limiter: Limiter

    def today(self) -> datetime:
        """Return the instant since which orders are today's."""
        return self.clock.now() - _TODAY


def open_house(home: Path, rules: Rules, clock: Clock) -> House:
    """Open the book of a home folder. Raises: ConfigError when another exchange holds it."""
    store = Store(home)
    exchange = Exchange(store, rules, clock)
    feeds = Feeds()
    return House(
        store=store,
        clock=clock,
        accounts=Accounts(store, rules, clock, house_token(home)),
        exchange=exchange,
        keeper=Bookkeeper(store, exchange, feeds.tell),
        feeds=feeds,
        limiter=Limiter(rules.orders_per_second),
    )


def house_token(home: Path) -> str:
    """Return the token of a home folder, made at the first start; only the owner may read its file."""
    path = home / "token"
    if not path.exists():
        partial = home / "token.partial"
        partial.touch(mode=0o600)
        partial.write_text(secrets.token_urlsafe(32), encoding="ascii")
        partial.replace(path)
    return path.read_text(encoding="ascii").strip()
