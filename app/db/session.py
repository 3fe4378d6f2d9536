"""Open transactions: one task or request is one transaction, committed at the edge."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import IdleInTransactionSessionTimeout, LockNotAvailable
from psycopg.pq import TransactionStatus
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Dialect, ExceptionContext
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

_LOCK_TIMEOUT_MS = 5_000
_BRIEFLY_MS = 100
_STATEMENT_TIMEOUT_MS = 30_000
_LOOKS_EVERY_S = 0.1
_PING_ANSWERS_IN_S = 0.5

T = TypeVar("T")


class _Impatient(psycopg.Connection[Any]):
    """Give up a connection that does not answer.

    PostgreSQL's own limits end nothing when the process behind a connection, or the way to it, stands still,
    and TCP takes its silence for a long answer. A ping, which is asked outside of a transaction and means
    nothing, gets less time.
    """

    answers_in_s: float | None = None

    def wait(self, gen: PQGen[T], interval: float = _LOOKS_EVERY_S, timeout: float | None = None) -> T:
        limit = self.answers_in_s
        if limit is not None and self.autocommit:
            limit = min(limit, _PING_ANSWERS_IN_S)
        try:
            return super().wait(gen, interval, timeout or limit)
        except psycopg.OperationalError as e:
            if self.info.transaction_status is not TransactionStatus.ACTIVE:
                raise
            self.close()  # whatever it may say later belongs to a question that nobody asks any more
            raise psycopg.OperationalError(f"expected an answer in {limit} s, none came") from e


class Database:
    """Hand out transactions on one PostgreSQL database. Thread-safe; create after fork."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 5,
        max_overflow: int = 10,
        max_idle_s: float = 0,
        answers_in_s: float | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            url: postgresql://…; psycopg 3 is used whatever driver the URL names.
            pool_size: connections kept.
            max_overflow: connections more at most.
            max_idle_s: PostgreSQL ends a transaction in which nothing was asked for so long, so that a
                frozen process lets go of its rows and others, a kill switch first of all, get on; 0: never.
            answers_in_s: a connection that does not answer for so long is given up, and what was asked
                fails as if PostgreSQL had been away. A commit that was asked for may still happen.
        """
        self.url = _with_driver(url)
        self._engine = create_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=max_overflow,
            pool_timeout=10,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": 5,
                "application_name": "openbell",
                "options": f"-c lock_timeout={_LOCK_TIMEOUT_MS} -c statement_timeout={_STATEMENT_TIMEOUT_MS} "
                f"-c timezone=UTC -c idle_in_transaction_session_timeout={round(1000 * max_idle_s)}",
            },
        )
        event.listen(self._engine, "handle_error", _as_outage)
        if answers_in_s is not None:
            event.listen(self._engine, "do_connect", partial(_connect_impatiently, answers_in_s))
            event.listen(self._engine, "do_executemany", _one_by_one)
            self._engine.dialect.supports_sane_multi_rowcount = False  # theirs is the last one's
        self._sessions = sessionmaker(self._engine, expire_on_commit=False)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Open one transaction; it commits at the end of the block and rolls back on an exception."""
        with self._sessions.begin() as session:
            yield session

    def ping(self) -> None:
        """Raise sqlalchemy.exc.OperationalError when the database cannot be reached."""
        with self._engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close all pooled connections."""
        self._engine.dispose()


def wait_briefly(session: Session) -> None:
    """Let this transaction fail soon on rows that others hold; `is_held` tells that failure."""
    session.execute(text(f"SET LOCAL lock_timeout = {_BRIEFLY_MS}"))


def is_held(error: OperationalError) -> bool:
    """Whether a transaction failed because somebody holds a row that it wanted; nothing of it was done."""
    return isinstance(error.orig, LockNotAvailable)


def _connect_impatiently(
    answers_in_s: float, _dialect: Dialect, _record: object, args: Sequence[str], named: dict[str, Any]
) -> _Impatient:
    connection = _Impatient.connect(*args, **named)
    connection.answers_in_s = answers_in_s
    return connection


def _one_by_one(cursor: DBAPICursor, statement: str, rows: Sequence[Any], _context: object) -> bool:
    """Ask one statement after the other.

    In the pipeline that psycopg makes of many, PostgreSQL waits for the rest without calling it idle, so that
    a process that is frozen there would keep its rows.
    """
    for row in rows:
        cursor.execute(statement, row)
    return True


def _as_outage(context: ExceptionContext) -> OperationalError | None:
    """Tell a transaction that stood still for too long as what it is: nothing of it was done, ask again."""
    if not isinstance(context.original_exception, IdleInTransactionSessionTimeout):
        return None
    context.is_disconnect = True
    return OperationalError(context.statement, None, context.original_exception)


def _with_driver(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if separator and scheme.startswith("postgres") else url
