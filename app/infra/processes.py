"""Keep the processes of one machine alive: start, watch, restart, and end together."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

from app.domain.errors import AppError
from app.domain.ports import Clock

_CRASHES = 5  # this many deaths ...
_CRASH_WINDOW_S = 30.0  # ... within this time are a crash loop ...
_CRASH_BACKOFF_S = 2.0  # ... which is slowed down, never given up: the day must go on
_READY_POLL_S = 0.05
_LOG_LIMIT_BYTES = 20_000_000
_LOG_CHECK_S = 5.0
_TAIL_LINES = 15
_UNDERSTUDY_PLAYS_S = 4.0
_UNDERSTUDY_CHECK_S = 0.1
_NOT_STARTED = 127

# Asks Linux to end the process when the thread that started it ends, gives way to others, then becomes the
# program itself. A preexec_fn would do the same, but may deadlock in a process with threads.
_LAUNCH = """
import ctypes, os, sys, time
ctypes.CDLL(None).prctl(1, 9)
os.getppid() == int(sys.argv[1]) or os._exit(1)
nice, group = int(sys.argv[2]), "/proc/self/autogroup"
os.nice(nice)
for _ in range(5 * (nice > 0 and os.path.exists(group))):
    try:
        with open(group, "w") as file:
            file.write(str(nice))
        break
    except OSError:
        time.sleep(0.15)
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""Where Linux groups processes by session, only the group's own `nice` counts between them; who is not root
may set it ten times a second."""


class ProcessError(AppError):
    """A process did not become ready; the message holds the end of its log."""

    code = "process_error"
    http_status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """What to run, and how to tell that it serves."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the supervisor's own environment."""
    ready: Callable[[], bool] | None = None
    """Polled after the start until it is true; None means ready at once."""
    restart: bool = True
    nice: int = 0
    """How far it gives way to the others where they want more processors than there are: 0 to 19."""
    understudy: str | None = None
    """Who does its work as well. While that one runs, a dead process is replaced a moment later: its start
    would take processors from who takes over just then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStatus:
    """One line of processes.json."""

    name: str
    pid: int | None
    restarts: int
    started_at: str
    """ISO 8601, UTC, of the running or last process."""
    last_exit: int | None
    """Exit status of the process before; negative for a signal, None when there was none."""


class ProcessGroup:
    """Supervise processes from threads of this one; when it ends, even by kill -9, they end too."""

    def __init__(self, home: Path, clock: Clock, *, on_crash_loop: Callable[[str], None]) -> None:
        self._home = home.resolve()
        self._clock = clock
        self._on_crash_loop = on_crash_loop
        self._children: dict[str, _Child] = {}
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._closed = threading.Event()
        (self._home / "logs").mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self._rotate_logs, name="logs", daemon=True).start()

    def start(self, specs: Iterable[ProcessSpec], timeout_s: float = 30.0) -> None:
        """Start all, then wait until each is ready.

        Raises: ProcessError for the first that is not ready in time or ended; the others run on.
        """
        started = []
        for spec in specs:
            child = _Child(spec, log=self.log_path(spec.name), clock=self._clock, group=self)
            with self._lock:
                if spec.name in self._children:
                    raise ProcessError(f"A process named {spec.name} is running already.")
                self._children[spec.name] = child
            child.start()
            started.append(child)
        self.save()
        deadline = time.monotonic() + timeout_s
        for child in started:
            child.wait_ready(deadline)

    def stop(self, name: str | None = None, *, grace_s: float = 15.0) -> None:
        """End one process, or all at once: SIGTERM, and SIGKILL after the grace time."""
        children = [self._child(name)] if name is not None else list(self._children.values())
        for child in children:
            child.end()
        deadline = time.monotonic() + grace_s
        for child in children:
            child.join(deadline)
        with self._lock:
            for child in children:
                self._children.pop(child.spec.name, None)
        self.save()
        if name is None:
            self._closed.set()

    def restart(self, name: str, *, grace_s: float = 15.0, timeout_s: float = 30.0) -> None:
        """End one process in good order, start it again and wait until it is ready."""
        spec = self._child(name).spec
        self.stop(name, grace_s=grace_s)
        self.start([spec], timeout_s)

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to the process itself, as a crash would, and return the pid that got it.

        Raises: ProcessError when it is not running at this moment.
        """
        pid = self._child(name).signal(how)
        if pid is None:
            raise ProcessError(f"{name} is not running, so it cannot get {how.name}.")
        return pid

    def status(self) -> list[ProcessStatus]:
        """Return the state of all processes, in the order of their start."""
        with self._lock:
            return [child.status() for child in self._children.values()]

    def log_path(self, name: str) -> Path:
        """Return the file with the output of a process."""
        return self._home / "logs" / f"{name}.log"

    def save(self) -> None:
        """Write processes.json, for the doctor and for tests that kill."""
        with self._saving:
            state = {"supervisor": os.getpid(), "processes": [asdict(status) for status in self.status()]}
            path = processes_path(self._home)
            temporary = path.with_suffix(".new")
            temporary.write_text(json.dumps(state, indent=1), encoding="utf-8")
            temporary.replace(path)

    def report_crash_loop(self, message: str) -> None:
        """Pass on that a process keeps dying, once per loop."""
        self._on_crash_loop(message)

    def is_running(self, name: str | None) -> bool:
        """Whether a process is alive at this moment; it may not have noticed that it shall do more."""
        with self._lock:
            child = None if name is None else self._children.get(name)
        return child is not None and child.status().pid is not None

    def _child(self, name: str) -> "_Child":
        with self._lock:
            if name not in self._children:
                raise ProcessError(f"No process is named {name}; there are {', '.join(self._children)}.")
            return self._children[name]

    def _rotate_logs(self) -> None:
        while not self._closed.wait(_LOG_CHECK_S):
            for name in [status.name for status in self.status()]:
                rotate(self.log_path(name), _LOG_LIMIT_BYTES)


class _Child:
    """One process and the thread that starts it, waits for it and starts it again."""

    def __init__(self, spec: ProcessSpec, *, log: Path, clock: Clock, group: ProcessGroup) -> None:
        self.spec = spec
        self._log = log
        self._clock = clock
        self._group = group
        self._ending = threading.Event()
        self._launched = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._restarts = 0
        self._started_at = clock.wall()
        self._last_exit: int | None = None
        self._deaths: deque[float] = deque(maxlen=_CRASHES)
        # The thread lives as long as its process: Linux ends the process with the thread that made it.
        self._thread = threading.Thread(target=self._run, name=f"supervise-{spec.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._launched.wait()

    def status(self) -> ProcessStatus:
        with self._lock:
            return ProcessStatus(
                name=self.spec.name,
                pid=None if self._process is None else self._process.pid,
                restarts=self._restarts,
                started_at=self._started_at.isoformat(),
                last_exit=self._last_exit,
            )

    def wait_ready(self, deadline: float) -> None:
        while self.spec.ready is not None and not self.spec.ready():
            if not self._thread.is_alive():
                raise ProcessError(f"{self.spec.name} ended ({self._last_exit}). Its log:\n{tail(self._log)}")
            if time.monotonic() > deadline:
                raise ProcessError(f"{self.spec.name} is not ready in time. Its log:\n{tail(self._log)}")
            time.sleep(_READY_POLL_S)

    def end(self) -> None:
        self._ending.set()
        self.signal(signal.SIGTERM)

    def join(self, deadline: float) -> None:
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            self.signal(signal.SIGKILL)
            self._thread.join()

    def signal(self, how: signal.Signals) -> int | None:
        with self._lock:
            if self._process is None:
                return None
            self._process.send_signal(how)
            return self._process.pid

    def _run(self) -> None:
        while not self._ending.is_set():
            exit_code = self._live()
            with self._lock:
                self._process = None
                self._last_exit = exit_code
            self._group.save()
            if not self.spec.restart or self._ending.wait(self._backoff_s(exit_code)):
                return
            self._let_understudy_play()
            with self._lock:
                self._restarts += 1

    def _let_understudy_play(self) -> None:
        deadline = time.monotonic() + _UNDERSTUDY_PLAYS_S
        while self._group.is_running(self.spec.understudy) and time.monotonic() < deadline:
            if self._ending.wait(_UNDERSTUDY_CHECK_S):
                return

    def _live(self) -> int:
        """Run the process once, to its end, and return its exit status."""
        with self._log.open("ab") as output:
            try:
                process = self._launch(output)
            except OSError as error:  # no memory, too many processes: may pass, so it counts as a death
                output.write(f"{self.spec.name} cannot be started: {error}\n".encode())
                return _NOT_STARTED
            finally:
                self._launched.set()
        self._group.save()
        if self._ending.is_set():  # the end was asked for between two lives
            self.signal(signal.SIGTERM)
        exit_code = process.wait()
        _kill_group(process.pid)  # pool processes of a dead worker must not work on
        return exit_code

    def _launch(self, output: BinaryIO) -> subprocess.Popen[bytes]:
        with self._lock:
            self._started_at = self._clock.wall()
            self._process = subprocess.Popen(  # noqa: S603 - the specs are ours
                _launched(self.spec),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.spec.env},
                start_new_session=True,
            )
            return self._process

    def _backoff_s(self, exit_code: int) -> float:
        now = time.monotonic()
        self._deaths.append(now)
        # Moments in which the understudy played are no sign of health.
        paused_s = _UNDERSTUDY_PLAYS_S * (_CRASHES - 1) if self.spec.understudy is not None else 0.0
        window_s = _CRASH_WINDOW_S + paused_s
        if len(self._deaths) < _CRASHES or now - self._deaths[0] > window_s:
            return 0.0
        self._deaths.clear()
        self._group.report_crash_loop(
            f"{self.spec.name} died {_CRASHES} times within {window_s:.0f} s (last exit {exit_code}). "
            f"It is tried again. The end of {self._log}:\n{tail(self._log)}"
        )
        return _CRASH_BACKOFF_S


def processes_path(home: Path) -> Path:
    """Return the file that names the running processes of a home."""
    return home / "processes.json"


def read_processes(home: Path) -> list[ProcessStatus]:
    """Return what the supervisor of this home wrote last; empty when none ever ran."""
    path = processes_path(home)
    if not path.exists():
        return []
    return [ProcessStatus(**row) for row in json.loads(path.read_text(encoding="utf-8"))["processes"]]


def rotate(log: Path, limit_bytes: int) -> None:
    """Move what a long log holds to `<name>.log.1`; the process that appends to it goes on undisturbed."""
    if log.exists() and log.stat().st_size > limit_bytes:
        # Copy and cut, because the process keeps the file open. A line written in between is lost.
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """Return the last lines of a log, for messages to people."""
    if not log.exists():
        return "(no log)"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 20_000))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:]) or "(empty)"


def _launched(spec: ProcessSpec) -> list[str]:
    if sys.platform != "linux":
        return list(spec.argv)
    return [sys.executable, "-I", "-S", "-c", _LAUNCH, str(os.getpid()), str(spec.nice), *spec.argv]


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # nobody was left
