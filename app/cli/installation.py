"""Open the installation that the settings describe, for one command."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.config import Settings, load_settings
from app.db.accounts import find_account
from app.db.deployments import find_deployment
from app.db.session import Database
from app.domain.accounts import BrokerAccount
from app.domain.deployments import Deployment
from app.domain.errors import InvalidInputError, NotFoundError
from app.domain.users import Actor, Role
from app.infra.engines.engines import Engines, ensure_engines, find_engines
from app.infra.vault import Vault
from app.services.credentials import open_vault
from app.services.users import get_user_by_name


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
        user_name, account_name = _split(path, "USER/ACCOUNT")
        user = get_user_by_name(session, self.actor, user_name)
        account = find_account(session, user.user_id, account_name)
        if account is None:
            raise NotFoundError(f"expected an account of {user_name}, got {account_name!r}")
        return account

    def deployment(self, session: Session, path: str) -> Deployment:
        """Return the deployment that USER/ACCOUNT/NAME names. Raises NotFoundError, InvalidInputError."""
        user_name, account_name, name = _split(path, "USER/ACCOUNT/NAME")
        account = self.account(session, f"{user_name}/{account_name}")
        deployment = find_deployment(session, account, name)
        if deployment is None:
            raise NotFoundError(f"expected a deployment on {user_name}/{account_name}, got {name!r}")
        return deployment


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


def _split(path: str, form: str) -> list[str]:
    parts = path.split("/")
    if len(parts) != form.count("/") + 1 or not all(parts):
        raise InvalidInputError(f"expected {form}, got {path!r}")
    return parts
