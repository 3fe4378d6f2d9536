"""The migrations make exactly the tables that the models declare, and records cannot be changed."""

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.audit import record_act
from app.db.models import Base
from app.infra.engines.engines import Engines

pytestmark = pytest.mark.integration

_SCHEMA = (
    (
        "select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint "
        "where connamespace = 'public'::regnamespace"
    ),
    "select tablename, indexname, indexdef from pg_indexes where schemaname = 'public'",
    (
        "select table_name, column_name, data_type, is_nullable, column_default, numeric_precision, "
        "numeric_scale from information_schema.columns where table_schema = 'public'"
    ),
)


def schema(url: str) -> set[tuple[object, ...]]:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        rows = {row for query in _SCHEMA for row in connection.execute(query)}
    return {row for row in rows if "alembic_version" not in str(row[0])}


def test_migrations_make_what_the_models_declare_checks_included(engines: Engines, database_url: str) -> None:
    name = "from_models"
    with psycopg.connect(engines.database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    url = engines.database_url.rsplit("/", 1)[0] + f"/{name}"
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    engine.dispose()

    assert schema(database_url) == schema(url)


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("audit_log", "id"),
        ("order_events", "id"),
        ("fills", "id"),
        ("external_fills", "account_id"),
        ("limit_versions", "id"),
        ("external_signals", "id"),
    ],
)
@pytest.mark.parametrize("change", ["update {} set {} = 1", "delete from {}", "truncate {} cascade"])
def test_records_refuse_changes(session: Session, table: str, key: str, change: str) -> None:
    with pytest.raises(IntegrityError, match=f"{table} is append-only"), session.begin_nested():
        session.execute(text(change.format(table, key)))


def test_the_audit_log_grows(session: Session) -> None:
    record_act(
        session,
        actor="asha",
        origin="cli",
        action="account.went_live",
        subject="account 1",
        reason="tested for a month",
        details={},
    )

    row = session.execute(text("select actor, origin, action, subject, reason, details from audit_log")).one()
    assert row == ("asha", "cli", "account.went_live", "account 1", "tested for a month", {})
