"""The pair of engines of one OPENBELL_HOME: start what the settings leave to us, and stop it."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.infra.engines import server
from app.infra.engines.errors import EngineError
from app.infra.engines.locks import exclusive
from app.infra.engines.postgres import PostgresServer
from app.infra.engines.valkey import ValkeyServer

_LOCK_TIMEOUT_S = 90.0
_WATCH_S = 0.5
_NOWHERE = "redis://127.0.0.1:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """The addresses that every process is given; they contain passwords, so never log them."""

    redis_url: str
    database_url: str


def ensure_engines(home: Path, redis_url: str | None, database_url: str | None) -> Engines:
    """Return working addresses, starting under `home` each engine that has no address of its own.

    The engines run on by themselves when the caller ends. Safe to repeat and to call from several
    processes at once; a folder left behind by kill -9 is recovered.

    Args:
        home: OPENBELL_HOME; made when it is not there. Two homes never share a port or a lock.
        redis_url: an external Valkey or Redis, which is used and not started.
        database_url: an external PostgreSQL, which is used and not started.

    Raises: EngineError with the reason and the remedy.
    """
    if redis_url is not None and database_url is not None:
        return Engines(redis_url=redis_url, database_url=database_url)
    with _locked(home) as root:
        return Engines(
            redis_url=redis_url or ValkeyServer.url(server.start(_valkey(root))),
            database_url=database_url or PostgresServer.url(server.start(_postgres(root))),
        )


def find_engines(home: Path, redis_url: str | None, database_url: str | None) -> Engines:
    """Return where the engines are or were, without starting or locking anything: for who cannot wait.

    Raises: EngineError when PostgreSQL has no address and none was ever started under `home`.
    """
    root = home.resolve()
    if database_url is None:
        postgres = server.read_endpoint(_postgres(root))
        if postgres is None:
            raise EngineError(f"No PostgreSQL has been started under {root}; run: openbell up")
        database_url = PostgresServer.url(postgres)
    if redis_url is None:
        valkey = server.read_endpoint(_valkey(root))
        redis_url = _NOWHERE if valkey is None else ValkeyServer.url(valkey)
    return Engines(redis_url=redis_url, database_url=database_url)


def stop_engines(home: Path) -> None:
    """Stop the engines of `home` in good order; nothing happens when none runs.

    Raises: EngineError when one does not end or belongs to another user.
    """
    if not home.exists():
        return
    with _locked(home) as root:
        server.stop(_valkey(root))
        server.stop(_postgres(root))


def restart_valkey(home: Path, how: signal.Signals = signal.SIGKILL) -> None:
    """Kill Valkey and start it again on its port, as a crash would: for tests and rehearsals."""
    with _locked(home) as root:
        server.stop(_valkey(root), how)
        server.start(_valkey(root))


def restart_postgres(home: Path, how: signal.Signals = signal.SIGKILL) -> None:
    """Kill PostgreSQL and start it again on its port, as a crash would: for tests and rehearsals."""
    with _locked(home) as root:
        server.stop(_postgres(root), how)
        server.start(_postgres(root))


def keep_engines(
    home: Path,
    redis_url: str | None,
    database_url: str | None,
    *,
    ended: threading.Event,
    on_event: Callable[[str], None],
) -> None:
    """Start again each engine that `ensure_engines` started and that dies, until the event is set.

    Runs in a thread of its own. End it before `stop_engines`, or it starts them again.

    Args: on_event: told what was restarted, or why that failed; it is tried again every half second.
    """
    root = home.resolve()
    kept: list[server.Server] = [_valkey(root)] if redis_url is None else []
    kept += [_postgres(root)] if database_url is None else []
    while not ended.wait(_WATCH_S):
        for engine in kept:
            if server.is_running(engine) or ended.is_set():
                continue
            try:
                with _locked(home):
                    server.start(engine)
            except EngineError as error:
                on_event(str(error))
            else:
                on_event(f"{engine.name} had died and was started again.")


def engine_pids(home: Path) -> dict[str, int | None]:
    """Return the process id of each engine of `home`, None for one that is not running."""
    root = home.resolve()
    return {
        engine.name: engine.pid() if server.is_running(engine) else None
        for engine in (_valkey(root), _postgres(root))
    }


@contextmanager
def _locked(home: Path) -> Iterator[Path]:
    root = home.resolve()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with exclusive(root / "engines.lock", _LOCK_TIMEOUT_S):
            yield root
    except PermissionError as error:
        raise EngineError(
            f"No permission to use {root}: {error}. It may belong to another user; set OPENBELL_HOME to a "
            "folder of your own."
        ) from error


def _valkey(root: Path) -> ValkeyServer:
    return ValkeyServer(directory=root / "valkey")


def _postgres(root: Path) -> PostgresServer:
    return PostgresServer(directory=root / "postgres")
