"""Tell Alembic our tables and the connection to work on."""

from alembic import context
from sqlalchemy import Connection, NullPool, create_engine

from app.config import load_settings
from app.db.models import Base
from app.infra.engines.engines import ensure_engines


def run(connection: Connection) -> None:
    """Run what Alembic was asked for on an open connection."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_from_command_line() -> None:
    """Serve the `alembic` command of a developer on the database of this copy."""
    settings = load_settings()
    url = settings.database_url
    engines = ensure_engines(settings.home, None, None if url is None else url.get_secret_value())
    with create_engine(engines.database_url, poolclass=NullPool).begin() as connection:
        run(connection)


given = context.config.attributes.get("connection")
if given is None:
    run_from_command_line()
else:
    run(given)
