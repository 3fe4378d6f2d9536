"""Start the simulator as its own process and reach it with the real client."""

import asyncio
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.waiting import eventually

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # the library's own, against current websockets
    from binance import AsyncClient, BinanceSocketManager, Client
    from binance.exceptions import BinanceAPIException, BinanceRequestException
    from binance.ws.constants import WSListenerState

__all__ = ["BinanceAPIException", "BinanceRequestException", "Venue", "WSListenerState"]

DAY = "2024-12-02"


def at(clock: str) -> str:
    """Return an instant of the simulated day: UTC time of day in, ISO 8601 out."""
    return f"{DAY}T{clock}+00:00"


def account(number: int, **changes: object) -> dict[str, object]:
    """Return the venue's record of a made-up customer."""
    return {
        "name": f"u{number}",
        "api_key": f"key{number}",
        "api_secret": f"secret{number}",
    } | changes


class Venue:
    """One running simulator."""

    def __init__(self, folder: Path, *, faults: str = "calm", options: Sequence[str] = ()) -> None:
        listing = folder / "accounts.json"
        listing.write_text(json.dumps([account(1)]))
        port_file = folder / "port"
        command = [sys.executable, "-m", "brokers.simulators.binance", "--accounts", str(listing)]
        command += ["--faults", faults, "--seed", "7", "--port-file", str(port_file), *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self._clients: list[Any] = []
        self.number = 1
        eventually(port_file.exists)
        self.port = int(port_file.read_text())
        self.base = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.base, timeout=30)
        self._settings = self.get("settings")

    def stop(self) -> None:
        """End the process and every client."""
        for client in self._clients:
            client.close_connection()
            client.loop.close()
        asyncio.set_event_loop(None)  # the library's clients make one and never close it
        self.http.close()
        self._process.terminate()
        self._process.wait(10)

    def get(self, path: str) -> Any:
        """Read a control endpoint."""
        return self.http.get(f"/_sim/{path}").raise_for_status().json()

    def post(self, path: str, body: object) -> Any:
        """Write to a control endpoint."""
        return self.http.post(f"/_sim/{path}", json=body).raise_for_status().json()

    def freeze(self, clock: str) -> dict[str, Any]:
        """Jump to a time of the day and stand still."""
        reply: dict[str, Any] = self.post("clock", {"now": at(clock), "rate": 0})
        return reply

    def inject(self, *rules: Mapping[str, object]) -> None:
        """Replace the faults."""
        self.post("faults", {"faults": list(rules)})

    def renew(self) -> None:
        """Forget faults, bans and changed settings, and let the next clients be a new customer's."""
        self.inject()
        self.post("settings", self._settings)
        self.post("pardon", {})
        self.number += 1
        self.post("accounts", account(self.number))

    def tick(self, count: int = 1) -> None:
        """Let the market tick."""
        for _tick in range(count):
            due = self.get("clock")["next_tick_at"]
            self.post("clock", {"now": due, "rate": 0})

    def tick_until(self, condition: Callable[[], object], most: int = 400) -> None:
        """Let the market tick until something has happened."""
        for _tick in range(most):
            if condition():
                return
            self.tick()
        raise AssertionError(f"not true within {most} ticks: {condition}")

    def client(self, number: int | None = None, **changes: Any) -> Any:
        """Return the real client of a customer, sent to the simulator and nothing else changed."""
        number = number or self.number
        keys = {"api_key": f"key{number}", "api_secret": f"secret{number}", "ping": False}
        client = local(Client, self.port)(**(keys | changes))
        self._clients.append(client)
        return client

    async def async_client(self) -> Any:
        """Return the real asynchronous client of the customer."""
        number = self.number
        kind = local(AsyncClient, self.port)
        return await kind.create(api_key=f"key{number}", api_secret=f"secret{number}")

    def sockets(self, client: Any, **options: Any) -> Any:
        """Return the real socket manager of an asynchronous client."""
        base = f"ws://127.0.0.1:{self.port}/"
        urls = {"STREAM_URL": base, "FSTREAM_URL": base, "DSTREAM_URL": base}
        return type("LocalSockets", (BinanceSocketManager,), urls)(client, **options)

    def orders(self) -> list[dict[str, Any]]:
        """Return the venue's own list of the customer's orders."""
        return [order for order in self.get("orders") if order["account"] == f"u{self.number}"]

    def statuses(self) -> dict[str, str]:
        """Return the status of each of the customer's orders by client id, as the venue has them."""
        return {order["client_id"]: order["status"] for order in self.orders()}

    def last(self, market: str = "spot") -> float:
        """Return the last price."""
        path = "/api/v3/ticker/price" if market == "spot" else "/fapi/v1/ticker/price"
        return float(self.http.get(path, params={"symbol": "BTCUSDT"}).json()["price"])


def local(kind: Any, port: int) -> Any:
    """Return the library's client class with the simulator's addresses."""
    base = f"http://127.0.0.1:{port}"
    socket = f"ws://127.0.0.1:{port}"
    urls = {
        "API_URL": f"{base}/api",
        "FUTURES_URL": f"{base}/fapi",
        "FUTURES_DATA_URL": f"{base}/futures/data",
        "MARGIN_API_URL": f"{base}/sapi",
        "WS_API_URL": f"{socket}/ws-api/v3",
        "WS_FUTURES_URL": f"{socket}/ws-fapi/v1",
    }
    return type(f"Local{kind.__name__}", (kind,), urls)


def limit(side: str, price: float, **changes: object) -> dict[str, object]:
    """Return the arguments of a limit order of 0.01 BTC."""
    return {
        "symbol": "BTCUSDT",
        "side": side,
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01",
        "price": f"{price:.1f}",
    } | changes


def market(side: str, **changes: object) -> dict[str, object]:
    """Return the arguments of a market order of 0.01 BTC."""
    return {"symbol": "BTCUSDT", "side": side, "type": "MARKET", "quantity": "0.01"} | changes


def machine_ms() -> int:
    """Return the machine's time, ms since the epoch."""
    return int(time.time() * 1000)


def refusal(call: Any, **params: object) -> tuple[int, int, str]:
    """Return how the venue refuses a call: HTTP status, code, text."""
    with pytest.raises(BinanceAPIException) as refused:
        call(**params)
    return refused.value.status_code, refused.value.code, refused.value.message
