"""Open the installation that the settings describe, for one command."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.config import Settings, load_settings
from app.db.session import Database
from app.domain.accounts import BrokerAccount
from app.domain.deployments import Deployment
from app.domain.users import Actor, Role
from app.infra.engines.engines import Engines, ensure_engines, find_engines
from app.infra.vault import Vault
from app.services.credentials import open_vault
from app.services.named import named_account, named_deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Hold what a command needs. `actor` is the person at the machine, who may do everything."""

    settings: Settings
    addresses: Engines
    database: Database
    actor: Actor

    def vault(self) -> Vault:
        """Open the vault. Raises ConfigError when its keys are missing or unusable."""
        return open_vault(self.settings, self.database)

    def account(self, session: Session, path: str) -> BrokerAccount:
        """Return the account that USER/ACCOUNT names. Raises NotFoundError, InvalidInputError."""
        return named_account(session, self.actor, path)

    def deployment(self, session: Session, path: str) -> Deployment:
        """Return the deployment that USER/ACCOUNT/NAME names. Raises NotFoundError, InvalidInputError."""
        return named_deployment(session, self.actor, path)


@contextmanager
def opened() -> Iterator[Installation]:
    """Open the installation, starting the embedded engines where none are configured."""
    settings = load_settings()
    url = settings.database_url
    redis_url = settings.redis_url
    engines = ensure_engines(
        settings.home,
        None if redis_url is None else redis_url.get_secret_value(),
        None if url is None else url.get_secret_value(),
    )
    database = Database(engines.database_url, pool_size=1)
    try:
        yield Installation(settings=settings, addresses=engines, database=database, actor=operator())
    finally:
        database.close()


@contextmanager
def opened_directly() -> Iterator[Installation]:
    """Open the installation's database as it runs: no engine is started, and Valkey is not waited for."""
    settings = load_settings()
    redis_url, url = settings.redis_url, settings.database_url
    addresses = find_engines(
        settings.home,
        None if redis_url is None else redis_url.get_secret_value(),
        None if url is None else url.get_secret_value(),
    )
    database = Database(addresses.database_url, pool_size=1)
    try:
        yield Installation(settings=settings, addresses=addresses, database=database, actor=operator())
    finally:
        database.close()


def operator() -> Actor:
    """Return who sits at the machine: whoever holds its files may do everything."""
    return Actor(name=getpass.getuser(), role=Role.ADMIN, origin="cli")
