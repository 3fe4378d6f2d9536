"""What PostgreSQL and Valkey have in common: launch, health, stop, recovery after kill -9."""

import json
import os
import secrets
import signal
import socket
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from app.infra.engines.errors import EngineError
from app.infra.engines.locks import is_locked, try_lock, wait_unlocked

START_TIMEOUT_S = 60.0  # a crash recovery of PostgreSQL or a long AOF is still a good start
STOP_TIMEOUT_S = 20.0
_POLL_S = 0.05
_LOG_LIMIT_BYTES = 10_000_000
# Below the range that Linux hands out to outgoing connections, so that nobody takes our port while
# the engine restarts after a crash.
_PORTS = range(21000, 31000)
_PORT_PATIENCE_S = 3.0
_PORT_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an engine listens on loopback, and its generated password."""

    port: int
    password: str


class Server(Protocol):
    """One kind of engine, as `start` and `stop` need it."""

    @property
    def name(self) -> str:
        """The engine's name in folders, logs and messages."""

    @property
    def directory(self) -> Path:
        """The engine's own folder under OPENBELL_HOME."""

    @property
    def stop_signal(self) -> signal.Signals:
        """The signal for an orderly stop."""

    def prepare(self, endpoint: Endpoint) -> list[str]:
        """Make the engine's files and return the command that serves them."""

    def pid(self) -> int | None:
        """Return the process that the engine's pid file names; meaningful only while it is locked."""

    def is_healthy(self, endpoint: Endpoint) -> bool:
        """Tell whether our engine, not a stranger on its port, answers."""


def is_running(server: Server) -> bool:
    """Tell whether any process of the engine is alive."""
    return server.directory.is_dir() and is_locked(_lock_path(server))


def start(server: Server) -> Endpoint:
    """Return the endpoint of the running engine, starting it when it is not; safe to repeat.

    Raises: EngineError when it does not answer in time, with the end of its log.
    """
    server.directory.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + START_TIMEOUT_S
    # A lock without health is an engine that is still starting, or the last children of a killed one.
    while (descriptor := try_lock(_lock_path(server))) is None:
        endpoint = read_endpoint(server)
        if endpoint is not None and server.is_healthy(endpoint):
            return endpoint
        _check_time(server, deadline, "is running but does not answer; end it with `openbell down`")
        time.sleep(_POLL_S)
    os.close(descriptor)
    for _ in range(_PORT_ATTEMPTS):
        endpoint = _choose_endpoint(server)
        if _launch(server, endpoint, deadline):
            return endpoint
        if _is_free(endpoint.port):  # it died of something else than its port
            break
    raise EngineError(f"{server.name} ended right after its start. The end of its log:\n{log_tail(server)}")


def stop(server: Server, how: signal.Signals | None = None) -> None:
    """Stop the engine and wait until its last process is gone; nothing happens when it is not running.

    Args: how: the signal to send, by default the engine's own for an orderly stop.
    Raises: EngineError when it outlives even SIGKILL or belongs to somebody else.
    """
    if not is_running(server):
        return
    for attempt in (how or server.stop_signal, signal.SIGKILL):
        pid = server.pid()
        if pid is not None:
            _send(server, pid, attempt)
        if wait_unlocked(_lock_path(server), STOP_TIMEOUT_S):
            return
    raise EngineError(f"{server.name} (pid {server.pid()}) does not end. Look at {log_path(server)}.")


def read_endpoint(server: Server) -> Endpoint | None:
    """Return the remembered port and password, or None before the first start."""
    path = _state_path(server)
    if not path.exists():
        return None
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        return Endpoint(port=int(state["port"]), password=str(state["password"]))
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(
            f"{path} is damaged: {error}. It must hold the port and password as JSON."
        ) from error


def log_path(server: Server) -> Path:
    """Return the file that the engine writes its messages to."""
    return server.directory.parent / "logs" / f"{server.name}.log"


def log_tail(server: Server, lines: int = 15) -> str:
    """Return the last lines of the engine's log, for messages to people."""
    if not log_path(server).exists():
        return "(no log)"
    text = log_path(server).read_text(encoding="utf-8", errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def read_pid(path: Path) -> int | None:
    """Return the number on the first line of a pid file, or None when there is none."""
    try:
        first = path.read_text(encoding="ascii").split("\n", 1)[0].strip()
    except FileNotFoundError:
        return None
    return int(first) if first.isdigit() else None


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, all of it or nothing."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)


def _launch(server: Server, endpoint: Endpoint, deadline: float) -> bool:
    """Start the process and wait for health; False when it ended instead."""
    command = server.prepare(endpoint)
    while (lock := try_lock(_lock_path(server))) is None:  # somebody looks whether it is running
        _check_time(server, deadline, "is held by another process")
        time.sleep(_POLL_S)
    try:
        _spawn(command, log_path(server), lock)
    finally:
        os.close(lock)  # from here on only the engine holds it
    while is_locked(_lock_path(server)):
        if server.is_healthy(endpoint):
            return True
        _check_time(server, deadline, "does not answer")
        time.sleep(_POLL_S)
    return False


def _spawn(command: list[str], log: Path, lock: int) -> None:
    # The shell hands the engine over to init at once: it survives us, and leaves no zombie behind.
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        subprocess.run(  # noqa: S603 - a fixed shell line, the command goes in as arguments
            ["/bin/sh", "-c", '"$@" &', "sh", *command],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent.parent,
            pass_fds=(lock,),
            start_new_session=True,
        )


def _choose_endpoint(server: Server) -> Endpoint:
    known = read_endpoint(server)
    if known is not None and _becomes_free(known.port):
        return known
    port = next((port for port in secrets.SystemRandom().sample(_PORTS, 200) if _is_free(port)), None)
    if port is None:
        raise EngineError(f"No free port for {server.name} between {_PORTS.start} and {_PORTS.stop}.")
    password = secrets.token_hex(24) if known is None else known.password
    endpoint = Endpoint(port=port, password=password)
    write_private(_state_path(server), json.dumps(asdict(endpoint)))
    return endpoint


def _becomes_free(port: int) -> bool:
    """Say whether a remembered port can be had: others hold the address, so a short wait beats a new one."""
    deadline = time.monotonic() + _PORT_PATIENCE_S
    while not _is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _send(server: Server, pid: int, what: signal.Signals) -> None:
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        return  # its last children are on their way out
    except PermissionError as error:
        raise EngineError(
            f"{server.name} (pid {pid}) belongs to another user. Run the command as the user who started it."
        ) from error


def _check_time(server: Server, deadline: float, complaint: str) -> None:
    if time.monotonic() > deadline:
        raise EngineError(
            f"{server.name} {complaint} (waited {START_TIMEOUT_S:.0f} s). "
            f"The end of {log_path(server)}:\n{log_tail(server)}"
        )


def _lock_path(server: Server) -> Path:
    return server.directory / "server.lock"


def _state_path(server: Server) -> Path:
    return server.directory / "endpoint.json"
