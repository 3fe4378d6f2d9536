"""Secrets are never in clear, survive a change of keys, and a lost key is never papered over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy.orm import Session

from app.config import Settings
from app.db.session import Database
from app.domain.accounts import BrokerAccount, BrokerCode
from app.domain.errors import ConfigError, ForbiddenError, InvalidInputError, NotFoundError
from app.domain.ports import BrokerSession
from app.domain.users import Actor, Role
from app.infra.vault import Vault, new_key
from app.services.credentials import (
    end_broker_session,
    key_file,
    load_broker_session,
    load_credentials,
    open_vault,
    rotate_keys,
    save_broker_session,
    store_credentials,
)

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 20, 3, 45, tzinfo=UTC)
SESSION = BrokerSession(
    broker=BrokerCode.KOTAK_NEO,
    expires_at=NOW + timedelta(hours=9),
    egress="127.1.0.1",
    secret='{"edit_token": "very-secret-token"}',
)


def everything_stored(url: str) -> str:
    """Return every row of every table as text; a bytea shows as hex."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        names = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        select = sql.SQL("select t::text from {} t")
        return str([connection.execute(select.format(sql.Identifier(name))).fetchall() for (name,) in names])


def test_no_secret_is_in_clear_anywhere_in_the_database(
    database: Database,
    database_url: str,
    vault: Vault,
    owner: Actor,
    account: BrokerAccount,
    good: dict[str, str],
) -> None:
    with database.begin() as session:
        store_credentials(session, vault, owner, account, fields=good)
        save_broker_session(session, vault, account, SESSION)

    dump = everything_stored(database_url)

    for secret in [*good.values(), "very-secret-token", "correct horse battery"]:
        assert secret not in dump
        assert secret.encode().hex() not in dump
    with database.begin() as session:
        assert load_credentials(session, vault, account).fields == good


def test_no_secret_is_in_a_repr(
    good: dict[str, str], session: Session, vault: Vault, owner: Actor, account: BrokerAccount
) -> None:
    store_credentials(session, vault, owner, account, fields=good)
    save_broker_session(session, vault, account, SESSION)
    opened = load_broker_session(session, vault, account, now=NOW)

    shown = repr(load_credentials(session, vault, account)) + repr(opened) + repr(vault)

    assert not any(secret in shown for secret in [*good.values(), "very-secret-token"])


def test_wrong_credentials_are_refused_field_by_field(
    session: Session, vault: Vault, owner: Actor, account: BrokerAccount, good: dict[str, str]
) -> None:
    with pytest.raises(InvalidInputError, match="mpin: expected 6 digits, got 2 characters"):
        store_credentials(session, vault, owner, account, fields=good | {"mpin": "12"})
    with pytest.raises(NotFoundError, match="expected stored credentials"):
        load_credentials(session, vault, account)


def test_only_the_owner_or_an_admin_sets_credentials(
    session: Session, vault: Vault, account: BrokerAccount, good: dict[str, str]
) -> None:
    with pytest.raises(ForbiddenError):
        store_credentials(session, vault, Actor(name="ops", role=Role.OPS, origin="t"), account, fields=good)


def test_a_broker_session_is_restored_until_it_expires(
    session: Session, vault: Vault, account: BrokerAccount
) -> None:
    assert load_broker_session(session, vault, account, now=NOW) is None
    assert save_broker_session(session, vault, account, SESSION) == 1
    assert save_broker_session(session, vault, account, replace(SESSION, egress="127.1.0.2")) == 2

    opened = load_broker_session(session, vault, account, now=NOW)

    assert opened is not None
    assert opened.generation == 2
    assert opened.broker_session == replace(SESSION, egress="127.1.0.2")
    assert load_broker_session(session, vault, account, now=SESSION.expires_at) is None
    end_broker_session(session, account)
    assert load_broker_session(session, vault, account, now=NOW) is None


def test_no_key_is_made_for_a_database_that_holds_secrets(
    database: Database,
    settings: Settings,
    vault: Vault,
    owner: Actor,
    account: BrokerAccount,
    good: dict[str, str],
) -> None:
    with database.begin() as session:
        store_credentials(session, vault, owner, account, fields=good)

    with pytest.raises(ConfigError, match="restore one of them from your backup"):
        open_vault(settings, database)

    assert not key_file(settings).exists()


def test_a_rotated_key_file_opens_everything_and_the_oldest_key_goes(
    database: Database,
    vault: Vault,
    module_home: Path,
    owner: Actor,
    admin: Actor,
    account: BrokerAccount,
    good: dict[str, str],
) -> None:
    settings = Settings(home=module_home)
    with database.begin() as session:
        store_credentials(session, vault, owner, account, fields=good)
    first = key_file(settings).lines()

    assert rotate_keys(settings, database, admin) >= 1
    assert rotate_keys(settings, database, admin) >= 1

    now = key_file(settings).lines()
    assert len(now) == 2
    assert not set(first) & set(now)
    newest_only = Settings(secret_keys=SecretStr(now[0]))
    with database.begin() as session:
        assert load_credentials(session, vault, account).fields == good  # the vault was open all the time
        assert load_credentials(session, open_vault(newest_only, database), account).fields == good


def test_a_failed_rotation_keeps_every_key_that_is_needed(
    database: Database,
    vault: Vault,
    module_home: Path,
    owner: Actor,
    admin: Actor,
    account: BrokerAccount,
    good: dict[str, str],
) -> None:
    settings = Settings(home=module_home)
    with database.begin() as session:
        store_credentials(session, vault, owner, account, fields=good)
    with psycopg.connect(database.url.replace("+psycopg", "")) as connection:
        connection.execute(
            "insert into broker_sessions values (%s, 1, now(), '', '\\x00')", [account.account_id]
        )

    with pytest.raises(ConfigError, match="none of them opens"):
        rotate_keys(settings, database, admin)

    with database.begin() as session:
        assert load_credentials(session, vault, account).fields == good
        end_broker_session(session, account)


def test_configured_keys_rotate_by_putting_a_new_one_first(
    database: Database,
    vault: Vault,
    module_home: Path,
    owner: Actor,
    admin: Actor,
    account: BrokerAccount,
    good: dict[str, str],
) -> None:
    with database.begin() as session:
        store_credentials(session, vault, owner, account, fields=good)
    old, new = key_file(Settings(home=module_home)).lines(), new_key()

    rotate_keys(Settings(secret_keys=SecretStr(", ".join([new, *old]))), database, admin)

    with database.begin() as session:
        only_new = open_vault(Settings(secret_keys=SecretStr(new)), database)
        assert load_credentials(session, only_new, account).fields == good
    rotate_keys(Settings(secret_keys=SecretStr(", ".join([*old, new]))), database, admin)


def test_only_an_admin_rotates(database: Database, settings: Settings, owner: Actor) -> None:
    with pytest.raises(ForbiddenError):
        rotate_keys(settings, database, owner)
