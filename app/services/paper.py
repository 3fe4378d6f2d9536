"""Reach this installation's paper exchange as its owner: log accounts in, tell prices, close the session."""

from collections.abc import Callable, Iterable
from typing import Protocol

import structlog

from app.domain.accounts import BrokerAccount, LoginReason
from app.domain.errors import BrokerError, ConfigError, LoginRefusedError
from app.domain.instruments import Venue
from app.domain.market_data import Tick
from app.domain.markets import market_of
from app.domain.ports import Credentials

log = structlog.get_logger()


class PaperExchange(Protocol):
    """Act as the owner of the exchange; every call raises BrokerError subclasses within a few seconds."""

    def post_quotes(self, prices: Iterable[Tick]) -> int:
        """Tell prices and return how many were news."""

    def close_session(self, venue: str | None = None) -> int:
        """End the orders for the day of a venue and return how many ended."""

    def close(self) -> None:
        """Release the connections."""


OpenPaperExchange = Callable[[], PaperExchange]
"""Opens a connection; raises ConfigError while the exchange has never been started."""


class Paper:
    """Do for paper accounts what a person does for others.

    Args:
        read_token: returns the token of the exchange's home; raises ConfigError while there is none.
        open_exchange: see `OpenPaperExchange`.
    """

    def __init__(self, *, read_token: Callable[[], str], open_exchange: OpenPaperExchange) -> None:
        self._read_token = read_token
        self._open_exchange = open_exchange

    def credentials(self, account: BrokerAccount) -> Credentials:
        """Return what the login of a paper account needs; nobody stores any.

        Raises: LoginRefusedError: the exchange has never been started.
        """
        try:
            token = self._read_token()
        except ConfigError as e:
            raise LoginRefusedError(
                f"the paper exchange of this installation was never started ({e}); start it: openbell up",
                reason=LoginReason.BROKER_DOWN,
            ) from e
        currency = market_of(account.broker).currency
        name = f"account-{account.account_id}"
        return Credentials(fields={"account": name, "currency": currency, "token": token})

    def close_session(self, venue: Venue) -> None:
        """End the orders for the day of a venue; a failure is a warning, the day ends all the same."""
        try:
            exchange = self._open_exchange()
            try:
                ended = exchange.close_session(venue.value)
            finally:
                exchange.close()
        except (BrokerError, ConfigError) as e:
            log.warning("paper_session_not_closed", venue=venue, error=str(e))
            return
        log.info("paper_session_closed", venue=venue, orders=ended)
