"""Start the simulator as its own process and steer it; the fake module talks to it from this process."""

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from brokers.simulators.mt5 import metatrader5 as mt5
from tests.waiting import eventually

START = datetime(2014, 5, 6, 8, 0, tzinfo=UTC)  # a Tuesday; server time is UTC+3
HEDGING, NETTING = 1001, 1002
PASSWORD = "pw"
SERVER = "Openbell-Demo"


class Broker:
    """One running simulator."""

    def __init__(self, folder: Path, *options: str) -> None:
        port_file = folder / "port"
        command = [sys.executable, "-m", "brokers.simulators.mt5", "--port-file", str(port_file), *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        eventually(port_file.exists)
        self.url = f"http://127.0.0.1:{int(port_file.read_text())}"
        self.http = httpx.Client(base_url=self.url, timeout=30)
        self.now = START

    def stop(self) -> None:
        """End the process."""
        self.http.close()
        self._process.terminate()
        self._process.wait(10)

    def get(self, path: str) -> Any:
        """Read a control endpoint."""
        return self.http.get(f"/_sim/{path}").raise_for_status().json()

    def post(self, path: str, body: object) -> Any:
        """Write to a control endpoint."""
        return self.http.post(f"/_sim/{path}", json=body).raise_for_status().json()

    def begin(self) -> None:
        """Forget everything and stand still on Tuesday morning with one account of each mode."""
        self.now = START
        self.post("reset", {"now": START.isoformat(), "rate": 0})
        self.account(HEDGING, mode="HEDGING")
        self.account(NETTING, mode="NETTING")

    def account(self, login: int, **changes: object) -> None:
        """Add or change an account."""
        self.post("accounts", {"login": login, "password": PASSWORD, **changes})

    def jump(self, now: datetime) -> None:
        """Go to an instant and stand still."""
        self.now = now
        self.post("clock", {"now": now.isoformat(), "rate": 0})

    def step(self, seconds: int = 5) -> None:
        """Move on by some seconds, one tick by default."""
        self.jump(self.now + timedelta(seconds=seconds))

    def faults(self, *rules: Mapping[str, object], **rule: object) -> None:
        """Replace the faults."""
        self.post("faults", {"faults": [*rules, *([rule] if rule else [])]})

    def injected(self, kind: str) -> int:
        """Return how often a fault was injected."""
        return int(self.get("faults")["by_kind"].get(kind, 0))

    def connect(self, login: int = HEDGING, folder: str = "/terminals/one") -> None:
        """Connect this process's fake module to an account's terminal."""
        good = mt5.initialize(f"{folder}/terminal64.exe", login=login, password=PASSWORD, server=SERVER)
        assert good, mt5.last_error()

    def mine(self, path: str, login: int = HEDGING) -> list[dict[str, Any]]:
        """Return the rows of one account from a control endpoint."""
        return [row for row in self.get(path) if row["login"] == login]

    def environment(self) -> dict[str, str]:
        """Return the environment of another process that uses the fake module."""
        return {**os.environ, "MT5_SIMULATOR_URL": self.url}


def deal(side: int, volume: float = 0.1, **changes: object) -> dict[str, object]:
    """Return a market order for EURUSD."""
    return {
        "action": mt5.TRADE_ACTION_DEAL,
        "symbol": "EURUSD",
        "volume": volume,
        "type": side,
        "type_filling": mt5.ORDER_FILLING_IOC,
        "magic": 77,
        "comment": "ours",
    } | changes


def pending(order_type: int, price: float, **changes: object) -> dict[str, object]:
    """Return a pending order for EURUSD."""
    return (
        deal(order_type)
        | {
            "action": mt5.TRADE_ACTION_PENDING,
            "price": price,
            "type_filling": mt5.ORDER_FILLING_RETURN,
        }
        | changes
    )


def send(request: Mapping[str, object]) -> Any:
    """Send a request that must be done."""
    result = mt5.order_send(request)
    assert result is not None, mt5.last_error()
    assert result.retcode in {mt5.TRADE_RETCODE_DONE, mt5.TRADE_RETCODE_PLACED}, result
    return result


def retcode(request: Mapping[str, object]) -> int:
    """Send a request and return what the server says."""
    result = mt5.order_send(request)
    assert result is not None, mt5.last_error()
    return int(result.retcode)


def tick() -> Any:
    """Return the newest tick of EURUSD."""
    found = mt5.symbol_info_tick("EURUSD")
    assert found is not None, mt5.last_error()
    return found


def points(price: float, distance: int) -> float:
    """Return a price some points away."""
    return round(price + distance / 100_000, 5)
