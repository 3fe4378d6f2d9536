"""Be ready to take over the exits of another process: have gateways and contracts before they are needed.

To load a broker's client, its contracts and its sessions takes longer than a position may be bare (I5).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import structlog
from sqlalchemy.exc import DBAPIError

from app.db.exits import accounts_with_session
from app.db.session import Database
from app.domain.accounts import BrokerCode
from app.domain.errors import BrokerError, ConfigError
from app.domain.ids import AccountId
from app.domain.markets import Market
from app.services.gateways import Gateways
from app.services.lanes.requests import ContractBook

log = structlog.get_logger()

_MOST = 400
"""How many gateways are kept for lanes of others; beyond, an account's first exit waits a moment longer."""


class Standby:
    """Restore what is not there yet; nothing is sent to any broker. One owner."""

    def __init__(
        self,
        database: Database,
        gateways: Gateways,
        contracts: ContractBook,
        *,
        brokers: frozenset[BrokerCode],
        days: Callable[[], Mapping[date, Sequence[Market]]],
    ) -> None:
        """Args: days: the trading dates of this moment, each with the markets that have it."""
        self._database = database
        self._gateways = gateways
        self._contracts = contracts
        self._days = days
        self._spec = {"of": 1, "shard": 0, "brokers": sorted(brokers)}

    def look(self) -> None:
        """Load the day's contracts, restore the gateways of the accounts that are logged in."""
        try:
            for day, markets in self._days().items():
                for market in markets:
                    self._contracts.of_day(day, market)
            with self._database.begin() as session:
                account_ids = accounts_with_session(session, self._spec)[:_MOST]
        except DBAPIError as e:
            log.info("standby_waits", error=type(e.orig).__name__)
            return
        for account_id in account_ids:
            if not self._gateways.has(account_id):
                self._restore(account_id)

    def _restore(self, account_id: AccountId) -> None:
        try:
            self._gateways.get(account_id)
        except (BrokerError, ConfigError, DBAPIError) as e:
            # Whoever needs it finds out and says so; here it is tried again at the next look.
            log.info("standby_without", account_id=account_id, error=str(e))
