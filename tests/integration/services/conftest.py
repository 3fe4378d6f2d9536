"""A fresh database, a vault of its own, and the people who act on it."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy.orm import Session

from app.config import Settings
from app.db.session import Database
from app.domain.accounts import BrokerAccount, BrokerCode
from app.domain.users import Actor, Role, User
from app.infra.vault import Vault
from app.services.accounts import create_account
from app.services.credentials import open_vault
from app.services.users import create_user

_numbers = itertools.count(1)

ADMIN = Actor(name="root", role=Role.ADMIN, origin="test")
GOOD = {
    "mobile_number": "+919812345678",
    "ucc": "AB123",
    "consumer_key": "0f3c9a51-77aa",
    "totp_secret": "JBSWY3DPEHPK3PXP",
    "mpin": "918273",
}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return Settings(home=tmp_path, database_url=SecretStr(database_url))


@pytest.fixture(scope="module")
def module_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vault")


@pytest.fixture
def vault(module_home: Path, database: Database) -> Vault:
    """The vault of this module's database; tests of lost keys use `settings` with a home of their own."""
    return open_vault(Settings(home=module_home), database)


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.begin() as session:
        yield session


@pytest.fixture
def admin() -> Actor:
    return ADMIN


@pytest.fixture
def good() -> dict[str, str]:
    return dict(GOOD)


@pytest.fixture
def user(database: Database) -> User:
    with database.begin() as session:
        return create_user(
            session, ADMIN, name=f"user{next(_numbers)}", role=Role.TRADER, password="correct horse battery"
        )


@pytest.fixture
def account(database: Database, user: User) -> BrokerAccount:
    with database.begin() as session:
        address = f"127.1.0.{next(_numbers)}"
        return create_account(
            session, ADMIN, user.user_id, name="main", broker=BrokerCode.KOTAK_NEO, egress=address
        )


@pytest.fixture
def owner(user: User) -> Actor:
    return Actor(name=user.name, role=user.role, origin="test", user_id=user.user_id)
