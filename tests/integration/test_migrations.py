"""The schema is brought up to date once, whoever asks and how many at a time."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import OperationalError

from app.infra.engines.engines import Engines
from app.infra.migrations import alembic_config, migrate

pytestmark = pytest.mark.integration


@pytest.fixture
def empty_url(engines: Engines, request: pytest.FixtureRequest) -> str:
    name = f"empty_{abs(hash(request.node.nodeid))}"
    with psycopg.connect(engines.database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    return engines.database_url.rsplit("/", 1)[0] + f"/{name}"


def revisions(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("select version_num from alembic_version")]


def test_migrate_reaches_the_newest_revision_and_repeats_harmlessly(empty_url: str) -> None:
    migrate(empty_url)
    migrate(empty_url)

    assert revisions(empty_url) == ScriptDirectory.from_config(alembic_config()).get_heads()


def test_the_migrations_make_exactly_the_tables_that_the_code_declares(empty_url: str) -> None:
    migrate(empty_url)
    config = alembic_config()

    with create_engine(empty_url, poolclass=NullPool).begin() as connection:
        config.attributes["connection"] = connection
        command.check(config)  # raises with the differences; `make revision` writes the migration


def test_two_migrators_at_once_leave_one_schema(empty_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, [empty_url] * 4))

    assert revisions(empty_url) == ScriptDirectory.from_config(alembic_config()).get_heads()


def test_migrate_says_when_the_database_cannot_be_reached() -> None:
    with pytest.raises(OperationalError, match="refused"):
        migrate("postgresql://nobody@127.0.0.1:1/none")


def test_a_module_starts_with_a_migrated_database(database_url: str) -> None:
    assert revisions(database_url) == ScriptDirectory.from_config(alembic_config()).get_heads()
    assert create_engine(database_url).dialect.driver == "psycopg"
