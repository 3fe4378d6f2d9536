"""Start the simulator as its own process and reach it with the real client."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyotp

from tests.waiting import eventually

os.environ.update(NEO_LOG_FILE_ENABLED="false", NEO_LOG_LEVEL="CRITICAL")
from neo_api_client.neo_api import NeoAPI  # the environment above is read when it is imported

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
DAY = "2019-01-02"


def at(clock: str) -> str:
    """Return an instant of the simulated day: IST time of day in, ISO 8601 out."""
    return f"{DAY}T{clock}+05:30"


def account(number: int, **changes: object) -> dict[str, object]:
    """Return the broker's record of a made-up customer."""
    return {
        "ucc": f"AA{number:03d}",
        "mobile": f"+9190000{number:05d}",
        "consumer_key": f"consumer-key-{number:03d}",
        "totp_secret": SECRET,
        "mpin": "123456",
        "allowed_ips": ["127.0.0.1"],
    } | changes


class Redirected(httpx.HTTPTransport):
    """Send every request of the client to the simulator."""

    def __init__(self, port: int, local_address: str) -> None:
        super().__init__(local_address=local_address)
        self._port = port

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Change the address and nothing else."""
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return super().handle_request(request)


class Broker:
    """One running simulator."""

    def __init__(
        self, folder: Path, *options: str, faults: str = "calm", accounts: int = 3, seed: int = 7
    ) -> None:
        listing = folder / "accounts.json"
        listing.write_text(json.dumps([account(number) for number in range(1, accounts + 1)]))
        port_file = folder / "port"
        command = [sys.executable, "-m", "brokers.simulators.kotak", "--accounts", str(listing)]
        command += ["--faults", faults, "--seed", str(seed), "--port-file", str(port_file), *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self._clients: list[Any] = []
        eventually(port_file.exists)
        self.port = int(port_file.read_text())
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)

    def stop(self) -> None:
        """End the process and every client."""
        for client in self._clients:
            client.api_client.rest_client.close()
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

    def settle(self) -> None:
        """Wait until no order is under way inside the broker."""
        eventually(lambda: self.get("clock")["pending"] == 0)

    def code(self, secret: str = SECRET) -> str:
        """Return the authenticator's code at the broker's time."""
        now = datetime.fromisoformat(self.get("clock")["now"])
        return str(pyotp.TOTP(secret).at(now))

    def client(self, number: int = 1, source: str = "127.0.0.1", **extra: Any) -> Any:
        """Return the real client of a customer, not logged in."""
        transport = Redirected(self.port, source)
        client = NeoAPI(consumer_key=f"consumer-key-{number:03d}", transport=transport, **extra)
        self._clients.append(client)
        return client

    def log_in(self, client: Any, number: int = 1) -> Mapping[str, Any]:
        """Log in with a fresh code: the broker's clock moves on one step first."""
        now = datetime.fromisoformat(self.get("clock")["now"])
        self.post("clock", {"now": (now + timedelta(seconds=30)).isoformat(), "rate": 0})
        client.totp_login(mobile_number=f"+9190000{number:05d}", ucc=f"AA{number:03d}", totp=self.code())
        reply: Mapping[str, Any] = client.totp_validate(mpin="123456")
        return reply

    def trader(self, number: int = 1, source: str = "127.0.0.1", **extra: Any) -> Any:
        """Return a client that has logged in."""
        client = self.client(number, source, **extra)
        self.log_in(client, number)
        return client

    def at_the_money(self, right: str = "CE") -> dict[str, Any]:
        """Return the quote of the nearest expiry's contract next to the index, price about 40 rupees."""
        headers = {"Authorization": "consumer-key-001"}
        path = "/market-data/1.0/watchlist/option-chain?exchange=nse_fo&underlying=NIFTY"
        chain = self.http.get(path, headers=headers).json()["data"]
        rows = [row for row in chain if row["option_type"] == right]
        return dict(min(rows, key=lambda row: abs(float(row["ltp"]) - 40)))


def order(symbol: str, **changes: str | None) -> dict[str, str | None]:
    """Return arguments for place_order: sell one lot at the market."""
    return {
        "exchange_segment": "nse_fo",
        "product": "MIS",
        "price": "0",
        "order_type": "MKT",
        "quantity": "65",
        "validity": "DAY",
        "trading_symbol": symbol,
        "transaction_type": "S",
    } | changes
