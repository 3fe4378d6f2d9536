"""A database that does not answer is given up in time, and asked again through a new connection."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.db.models import LeaseRow
from app.db.session import Database
from app.domain.accounts import BrokerAccount
from tests.freezing import frozen

pytestmark = pytest.mark.integration

_SLEEP = text("SELECT pg_sleep(:seconds)")


@contextmanager
def _standing_still(session: Session) -> Iterator[None]:
    """Stop the process behind a session's connection."""
    pid = session.scalar(text("SELECT pg_backend_pid()"))
    assert pid is not None
    with frozen([pid]):
        yield


@pytest.fixture
def impatient(database_url: str) -> Iterator[Database]:
    database = Database(database_url, answers_in_s=0.5)
    yield database
    database.close()


def test_a_connection_that_stands_still_is_given_up_and_replaced(impatient: Database) -> None:
    with impatient.begin() as session, _standing_still(session):
        with pytest.raises(OperationalError, match="none came"):
            session.execute(text("SELECT 1"))
        with impatient.begin() as other:
            assert other.scalar(text("SELECT 2")) == 2
        session.close()


def test_a_commit_without_an_answer_fails_and_is_not_taken_for_done(impatient: Database) -> None:
    with pytest.raises(OperationalError, match="none came"), impatient.begin() as session:  # noqa: PT012
        pid = session.scalar(text("SELECT pg_backend_pid()"))
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGCONT)
    impatient.ping()


def test_an_answer_in_time_is_waited_for(impatient: Database) -> None:
    with impatient.begin() as session:
        session.execute(_SLEEP, {"seconds": 0.2})
        session.execute(_SLEEP, {"seconds": 0.4})


def test_a_refused_statement_leaves_its_connection_alone(impatient: Database, database: Database) -> None:
    pids = []
    for _ in range(2):
        with pytest.raises(OperationalError), impatient.begin() as session:  # noqa: PT012
            pids.append(session.scalar(text("SELECT pg_backend_pid()")))
            session.execute(text("SET LOCAL lock_timeout = 1"))
            with database.begin() as other:
                other.execute(text("LOCK TABLE accounts"))
                session.execute(text("LOCK TABLE accounts"))
    assert len(set(pids)) == 1


def test_many_rows_are_written_without_a_pipeline_in_which_a_frozen_process_would_keep_them(
    impatient: Database, account: BrokerAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("PostgreSQL does not call a transaction idle that waits in a pipeline")

    monkeypatch.setattr(psycopg.Cursor, "executemany", refuse)
    with impatient.begin() as session:
        session.add_all(LeaseRow(name=f"many:{n}", kind="exits", queue="exits", spec={}) for n in range(3))
    with impatient.begin() as session:
        for row in session.scalars(select(LeaseRow).where(LeaseRow.name.startswith("many:"))):
            row.holder = account.name
    with impatient.begin() as session:
        holders = session.scalars(select(LeaseRow.holder).where(LeaseRow.name.startswith("many:"))).all()
        session.execute(delete(LeaseRow).where(LeaseRow.name.startswith("many:")))
    assert holders == [account.name] * 3


def test_without_a_limit_a_connection_is_waited_for(database: Database) -> None:
    with database.begin() as session:
        session.execute(_SLEEP, {"seconds": 1})
