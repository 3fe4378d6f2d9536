"""Bring a database to the newest schema, once, however many processes start together."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine, text

import app

_LOCK_KEY = 7_232_015_524  # any constant of our own: every migrator must take the same one
_WAIT_FOR_OTHERS = "120s"
_LOCK_TIMEOUT = "5s"  # a migration that waits for a busy table must not hold up trading behind it


def migrate(database_url: str) -> None:
    """Run all missing migrations in one transaction, so that a failure leaves the old schema intact.

    A second migrator waits for the first and then finds nothing to do.

    Raises: sqlalchemy.exc.OperationalError when the database cannot be reached or a table stays locked
        for more than 5 s.
    """
    engine = create_engine(database_url, poolclass=NullPool)
    config = alembic_config()
    with engine.begin() as connection:
        connection.execute(text(f"set local lock_timeout = '{_WAIT_FOR_OTHERS}'"))
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        connection.execute(text(f"set local lock_timeout = '{_LOCK_TIMEOUT}'"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def alembic_config() -> Config:
    """Return Alembic's configuration from the repository, wherever the process was started."""
    root = Path(app.__file__).resolve().parent.parent
    config = Config(root / "alembic.ini")
    config.set_main_option("script_location", str(root / "alembic").replace("%", "%%"))
    return config
