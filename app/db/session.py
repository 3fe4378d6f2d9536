"""Open transactions: one task or request is one transaction, committed at the edge."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg.errors import IdleInTransactionSessionTimeout
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

_LOCK_TIMEOUT_MS = 5_000
_STATEMENT_TIMEOUT_MS = 30_000


class Database:
    """Hand out transactions on one PostgreSQL database. Thread-safe; create after fork."""

    def __init__(
        self, url: str, *, pool_size: int = 5, max_overflow: int = 10, max_idle_s: float = 0
    ) -> None:
        """Open nothing yet.

        Args:
            url: postgresql://…; psycopg 3 is used whatever driver the URL names.
            pool_size: connections kept.
            max_overflow: connections more at most.
            max_idle_s: PostgreSQL ends a transaction in which nothing was asked for so long, so that a
                frozen process lets go of its rows and others, a kill switch first of all, get on; 0: never.
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


def _as_outage(context: ExceptionContext) -> OperationalError | None:
    """Tell a transaction that stood still for too long as what it is: nothing of it was done, ask again."""
    if not isinstance(context.original_exception, IdleInTransactionSessionTimeout):
        return None
    context.is_disconnect = True
    return OperationalError(context.statement, None, context.original_exception)


def _with_driver(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if separator and scheme.startswith("postgres") else url
