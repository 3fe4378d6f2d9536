"""Real engines for every test that asks for them: one pair per pytest process, a database per module."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg import sql

from app.infra.engines.engines import Engines, ensure_engines, stop_engines
from app.infra.migrations import migrate


@pytest.fixture(scope="session")
def engines_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """OPENBELL_HOME of this pytest process; its engines are stopped at the end."""
    home = tmp_path_factory.mktemp("openbell")
    yield home
    stop_engines(home)


@pytest.fixture(scope="session")
def engines(engines_home: Path) -> Engines:
    """Real PostgreSQL and Valkey, started once."""
    return ensure_engines(engines_home, None, None)


@pytest.fixture(scope="session")
def migrated_template(engines: Engines) -> str:
    """Name of a database with the newest schema and no rows, made by running the migrations."""
    name = "openbell_template"
    _execute(engines, sql.SQL("create database {}").format(sql.Identifier(name)))
    migrate(_with_database(engines, name))
    return name


@pytest.fixture(scope="module")
def database_url(engines: Engines, migrated_template: str) -> Iterator[str]:
    """A fresh migrated database for this test module."""
    name = f"test_{secrets.token_hex(6)}"
    template = sql.Identifier(migrated_template)
    _execute(engines, sql.SQL("create database {} template {}").format(sql.Identifier(name), template))
    yield _with_database(engines, name)
    _execute(engines, sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def fresh_database_url(engines: Engines, migrated_template: str) -> Iterator[str]:
    """A fresh migrated database for one test."""
    name = f"test_{secrets.token_hex(6)}"
    template = sql.Identifier(migrated_template)
    _execute(engines, sql.SQL("create database {} template {}").format(sql.Identifier(name), template))
    yield _with_database(engines, name)
    _execute(engines, sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def redis_url(engines: Engines) -> str:
    """An empty Valkey for this test module."""
    with redis.Redis.from_url(engines.redis_url) as client:
        client.flushall()
    return engines.redis_url


def _with_database(engines: Engines, name: str) -> str:
    return engines.database_url.rsplit("/", 1)[0] + f"/{name}"


def _execute(engines: Engines, statement: sql.Composed) -> None:
    with psycopg.connect(engines.database_url, autocommit=True) as connection:
        connection.execute(statement)
