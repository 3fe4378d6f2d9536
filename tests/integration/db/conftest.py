"""One user with one account, in a transaction that the test may use as its own."""

import itertools
from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from app.db.accounts import add_account
from app.db.session import Database
from app.db.users import add_user
from app.domain.accounts import BrokerAccount, BrokerCode
from app.domain.users import Role

_numbers = itertools.count(1)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.begin() as session:
        yield session


@pytest.fixture
def account(database: Database) -> BrokerAccount:
    """A committed account of a new user, for tests with several transactions."""
    with database.begin() as session:
        user = add_user(session, name=f"user{next(_numbers)}", role=Role.TRADER, password_hash=None)
        return add_account(session, user.user_id, name="main", broker=BrokerCode.KOTAK_NEO)
