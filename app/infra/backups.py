"""Copy a whole database into a file and back, with PostgreSQL's own programs."""

import os
import subprocess
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from app.domain.errors import ConflictError
from app.infra.engines.errors import EngineError
from app.infra.engines.postgres import binaries

_OTHERS = """
select count(*) from pg_stat_activity
 where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
"""


def back_up(database_url: str, file: Path) -> None:
    """Write one consistent moment of a database into a new file that only its owner can read.

    The database is used on meanwhile.

    Raises: ConflictError when the file exists; EngineError when PostgreSQL refuses.
    """
    if file.exists():
        raise ConflictError(f"expected a new file, {file} exists")
    half = file.with_name(f"{file.name}.part")
    half.unlink(missing_ok=True)
    half.touch(mode=0o600)
    _run("pg_dump", database_url, "--format=custom", f"--file={half}")
    half.rename(file)


def restore(database_url: str, file: Path) -> None:
    """Replace what a database holds by a backup, all of it or nothing.

    Raises: ConflictError while anybody else uses the database; EngineError when PostgreSQL refuses.
    """
    address = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        row = connection.execute(_OTHERS).fetchone()
    if row is None or row[0]:
        raise ConflictError("somebody uses the database: stop everything first, with `openbell down`")
    _run(
        "pg_restore", database_url, "--clean", "--if-exists", "--single-transaction", "--no-owner", str(file)
    )


def _run(program: str, database_url: str, *options: str) -> None:
    url = make_url(database_url)
    # The password goes through the environment: everybody on the machine may read a command line.
    address = url.set(drivername="postgresql")._replace(password=None).render_as_string()
    done = subprocess.run(  # noqa: S603 - our own binary and arguments
        [str(binaries() / program), f"--dbname={address}", *options],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | ({} if url.password is None else {"PGPASSWORD": str(url.password)}),
    )
    if done.returncode != 0:
        raise EngineError(f"{program} failed ({done.returncode}):\n{done.stderr.strip()[-2000:]}")
