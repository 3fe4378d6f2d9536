"""Run the MT5 simulator and one real agent process for each account."""

import itertools
import os
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from app.domain.accounts import BrokerCode
from app.domain.ports import BrokerAdapter, Credentials
from brokers.registry import adapter
from tests.waiting import eventually

START = datetime(2014, 5, 6, 8, 0, tzinfo=UTC)
SERVER = "Openbell-Demo"
PASSWORD = "demo-password"
TOKEN = "token-of-the-agent-0123456789"
UTC_OFFSET_S = 10_800  # New York plus seven hours, in summer
MODULE = "brokers.simulators.mt5.metatrader5"
_URL_VARIABLE = "MT5_SIMULATOR_URL"


class DayClock:
    """Run at real speed from the morning of the simulated day."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def now(self) -> datetime:
        return START + timedelta(seconds=time.monotonic() - self._started)

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> datetime:
        return datetime.now(UTC)


class Simulator:
    """Own one simulator process."""

    def __init__(self, folder: Path, clock: DayClock) -> None:
        port_file = folder / "port"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "brokers.simulators.mt5", "--port-file", str(port_file)],
            stdout=subprocess.DEVNULL,
        )
        self._logins = itertools.count(1001)
        eventually(port_file.exists)
        self.base_url = f"http://127.0.0.1:{port_file.read_text().strip()}"
        self.control = httpx.Client(base_url=self.base_url, timeout=30)
        eventually(self._is_listening)
        self.post("clock", {"now": clock.now().isoformat(), "rate": 1.0})

    def _is_listening(self) -> bool:
        try:
            return self.control.get("/_sim/clock").is_success
        except httpx.ConnectError:
            return False

    def post(self, door: str, body: object) -> None:
        """Use a control door."""
        self.control.post(f"/_sim/{door}", json=body).raise_for_status()

    def get(self, door: str, **query: str) -> list[dict[str, object]]:
        """Read a control door."""
        rows: list[dict[str, object]] = (
            self.control.get(f"/_sim/{door}", params=query).raise_for_status().json()
        )
        return rows

    def new_account(self, mode: str) -> int:
        """Open an account that nobody used before."""
        login = next(self._logins)
        self.post("accounts", {"login": login, "password": PASSWORD, "server": SERVER, "mode": mode})
        return login

    def orders(self, login: int) -> list[dict[str, object]]:
        """Return an account's orders from the broker's own book."""
        return [row for row in self.get("orders") if row["login"] == login]

    def fault(self, login: int, kind: str, **terms: object) -> None:
        """Put one fault on an account, in the place of all earlier ones."""
        self.post("faults", {"faults": [{"kind": kind, "login": [login], **terms}]})

    def stop(self) -> None:
        """End the process."""
        self.control.close()
        self._process.terminate()
        self._process.wait(10)


@dataclass(slots=True, kw_only=True)
class AgentProcess:
    """Own the agent of one account; it may be killed and started again on the same folder and port."""

    simulator: Simulator
    login: int
    folder: Path
    settings: dict[str, object] = field(default_factory=dict)
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        self.port = self.port or free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(self.toml())

    @property
    def config(self) -> Path:
        """The agent's settings file."""
        return self.folder / "agent.toml"

    @property
    def pid(self) -> int:
        """The process that was started last."""
        assert self.process is not None
        return self.process.pid

    @property
    def terminal_folder(self) -> str:
        """The terminal's folder, as the simulator names it."""
        return self.folder.as_posix()

    def toml(self) -> str:
        """Return the settings."""
        settings: dict[str, object] = {
            "module": MODULE,
            "port": self.port,
            "token": TOKEN,
            "login": self.login,
            "server": SERVER,
            "terminal": f"{self.terminal_folder}/terminal64.exe",
            "state": "state",
            "symbols": ["EURUSD"],
            "utc_offset_s": UTC_OFFSET_S,
            **self.settings,
        }
        lines = [f"{name} = {_toml(value)}" for name, value in settings.items() if value is not None]
        return "\n".join(["[agent]", *lines, ""])

    def start(self) -> None:
        """Start the process and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "brokers.mt5.agent", "--config", str(self.config)],
                env=supervised_environment(self.simulator),
                stderr=log,
            )
        eventually(self.is_answering)

    def is_answering(self) -> bool:
        """Whether the agent listens."""
        certificate = self.settings.get("tls_certificate")
        return is_answering(self.port, None if certificate is None else str(certificate))

    def kill(self) -> None:
        """End the process without a warning."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def log(self) -> str:
        """Return what the agent has told so far."""
        return (self.folder / "log").read_text()


def is_answering(port: int, certificate: str | None = None) -> bool:
    """Whether an agent listens on a port and answers the holder of the token."""
    try:
        reply = httpx.post(
            f"{'http' if certificate is None else 'https'}://127.0.0.1:{port}/v1/health",
            json={},
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=2,
            trust_env=False,
            verify=True if certificate is None else ssl.create_default_context(cafile=certificate),
        )
    except httpx.HTTPError:
        return False
    return reply.is_success


def supervised_environment(simulator: Simulator) -> dict[str, str]:
    """Return the environment in which the fake terminal module finds its broker."""
    return {**os.environ, _URL_VARIABLE: simulator.base_url}


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def credentials(account: int, url: str, **changes: str) -> Credentials:
    """Return an account's credentials at an agent."""
    fields = {
        "login": str(account),
        "password": PASSWORD,
        "server": SERVER,
        "agent_url": url,
        "agent_token": TOKEN,
    }
    return Credentials(fields=fields | changes)


def new_adapter(base_url: str, clock: DayClock) -> BrokerAdapter:
    """Build the adapter under test."""
    return adapter(BrokerCode.MT5, base_url=base_url, clock=clock)


def _toml(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return str(value)
