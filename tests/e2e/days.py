"""Start trading days as a person would, in a home of their own, and read how they ended."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.controls import request_exits
from app.db.models import AccountRow
from app.db.session import Database
from app.infra.clock import VirtualClock
from app.infra.engines.engines import Engines, engine_pids, ensure_engines, stop_engines
from app.infra.processes import ProcessStatus, read_processes
from app.infra.stack import free_port

ROOT = Path(__file__).parents[2]
_DAY_TAKES_S = 600.0
_QUICK = ("--exit", "--speed", "3000", "--close", "10:15", "--venues", "NSE")
_INDIA = ZoneInfo("Asia/Kolkata")
_SOUND = {"duplicates": 0, "lost": 0, "unknown_open": 0}
DAY = date(2019, 1, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a day ended."""

    status: int
    output: str
    report: dict[str, Any]
    journal: list[str]


class RunningDay:
    """One `openbell demo` in its own process; `folder` is its OPENBELL_HOME."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        settings: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Args: options: of `openbell demo`; settings: like {"log_level": "DEBUG"}; env: of its processes."""
        self.home = folder / "home" / "demo"
        self._report, self._journal = folder / "report.json", folder / "journal.jsonl"
        self._output = folder / "output.txt"
        command = [sys.executable, "-c", "from app.cli import main; main()", "demo", *_QUICK, *options]
        command += ["--report", str(self._report), "--journal", str(self._journal)]
        # A home of its own, and nothing of the tester's settings.
        whole = {k: v for k, v in os.environ.items() if not k.startswith("OPENBELL_")}
        whole |= {"OPENBELL_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
        # Two days may start at one moment and would both find the usual ports free.
        whole |= {"OPENBELL_API_PORT": str(free_port()), "OPENBELL_FLOWER_PORT": str(free_port())}
        whole |= {f"OPENBELL_{name.upper()}": value for name, value in (settings or {}).items()}
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                command, cwd=folder, env=whole | dict(env or {}), stdout=output, stderr=subprocess.STDOUT
            )

    def end(self) -> Ended:
        """Wait for the end of the day."""
        status = self._process.wait(_DAY_TAKES_S)
        output = self._output.read_text(encoding="utf-8", errors="replace")
        assert self._report.exists(), f"the day left no report:\n{output}"
        return Ended(
            status=status,
            output=output,
            report=json.loads(self._report.read_text(encoding="utf-8")),
            journal=self._journal.read_text(encoding="utf-8").splitlines(),
        )

    def is_running(self) -> bool:
        """Whether the day goes on."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it now, for tests that failed."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60)

    def wait_for(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait until something is so while the day runs."""
        deadline = time.monotonic() + _DAY_TAKES_S
        while not condition():
            assert self._process.poll() is None, f"the day ended before: {what}\n{self._output.read_text()}"
            assert time.monotonic() < deadline, f"not in time: {what}\n{self._output.read_text()}"
            threading.Event().wait(0.1)

    def wait_until(self, clock: str) -> None:
        """Wait until the virtual clock shows a time of day in India, like "09:31" or "09:14:59"."""
        self.wait_for(clock, lambda: (now := self.now()) is not None and f"{now:%H:%M:%S}" >= clock)

    def now(self) -> datetime | None:
        """Return the virtual time in India, None before the demo has a clock."""
        file = self.home / "clock"
        if not file.exists() or file.stat().st_size == 0:
            return None
        return VirtualClock(file).now().astimezone(_INDIA)

    def kill_all(self, *names: str) -> None:
        """Kill -9 these processes and both engines at one moment, and wait until the engines are back."""
        running = {name: status.pid for name, status in self.processes().items() if name in names}
        found = running | engine_pids(self.home)
        victims = {pid for pid in found.values() if pid is not None}
        assert len(victims) == len(names) + len(engine_pids(self.home)), f"not all are running: {found}"
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        # Asking the ledger earlier would start the engines in the day's place.
        self.wait_for("engines", lambda: {None, *victims}.isdisjoint(engine_pids(self.home).values()))

    def log_lines(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield what a process has logged, as far as it is JSON."""
        for line in (self.home / "logs" / f"{name}.log").read_text(errors="replace").splitlines():
            if line.startswith("{"):
                yield json.loads(line)

    def processes(self) -> dict[str, ProcessStatus]:
        """Return the running processes by name."""
        return {status.name: status for status in read_processes(self.home)}

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Stop a process or an engine as it stands: it takes connections and answers nobody."""
        running = {process: status.pid for process, status in self.processes().items()}
        victim = (running | engine_pids(self.home))[name]
        assert victim is not None, f"{name} is not running"
        os.kill(victim, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(victim, signal.SIGCONT)

    def simulator(self, path: str, body: object = None, *, name: str = "simulator") -> Any:
        """Tell a simulated broker something, or without a body ask it."""
        port = (self.home / "logs" / f"{name}.log").read_text().split()[0]
        method = "GET" if body is None else "POST"
        reply = httpx.request(method, f"http://127.0.0.1:{port}{path}", json=body, timeout=10)
        return reply.raise_for_status().json()

    def requests(self, ucc: str, *, since: float) -> list[dict[str, Any]]:
        """Return the requests of an account that the simulated Kotak has seen since a machine's time."""
        seen = self.simulator("/_sim/requests?since=0")
        return [request for request in seen if request["ucc"] == ucc and request["real"] >= since]

    @contextmanager
    def engines(self) -> Iterator[Engines]:
        """Yield the addresses of the day's engines, started for this once the day is over."""
        is_over = self._process.poll() is not None
        try:
            yield ensure_engines(self.home, None, None)
        finally:
            if is_over:
                stop_engines(self.home)

    @contextmanager
    def ledger(self) -> Iterator[Session]:
        """Yield a transaction in the day's database."""
        with self.engines() as engines:
            database = Database(engines.database_url)
            try:
                with database.begin() as session:
                    yield session
            finally:
                database.close()

    def square_off(self, user: str) -> None:
        """Ask for flat positions of one user, as an operator would."""
        with self.ledger() as session:
            account_id = session.scalars(select(AccountRow.id).where(AccountRow.name == user)).one()
            wall = datetime.now(UTC)
            request_exits(session, where={"account_id": account_id}, day=DAY, reason="by hand", wall=wall)


def assert_sound(day: Ended) -> None:
    """Demand that a day ended with a verdict of ok and with the broker's own positions."""
    assert day.report["reasons"] == []
    assert day.status == 0, day.output
    assert {key: day.report["orders"][key] for key in _SOUND} == _SOUND
    assert day.report["positions"]["mismatched"] == day.report["positions"]["open_at_end"] == 0
