"""Start the simulated broker and speak to its control door."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from app.demo.options import DemoOptions
from app.domain.errors import UnavailableError
from app.infra.processes import ProcessSpec
from app.infra.stack import answers

_TIMEOUT_S = 30.0
_PLACE = "/quick/order/rule/ms/place"


def simulator_spec(
    options: DemoOptions, accounts: Sequence[Mapping[str, object]], *, folder: Path, port: int
) -> ProcessSpec:
    """Return the simulator's process, after writing the accounts that it shall know."""
    file = folder / "simulator_accounts.json"
    file.write_text(json.dumps(list(accounts), indent=1), encoding="utf-8")
    argv = (
        *(sys.executable, "-m", "brokers.simulators.kotak"),
        *("--host", "127.0.0.1", "--port", str(port), "--date", options.day.isoformat()),
        *("--accounts", str(file), "--seed", str(options.seed), "--faults", options.faults),
    )
    url = f"http://127.0.0.1:{port}/_sim/clock"
    # Its book is the evidence of the day: a simulator that died cannot be replaced by a fresh one.
    return ProcessSpec(name="simulator", argv=argv, ready=lambda: answers(url), restart=False)


class SimulatorControl:
    """Set the simulator's clock and read its books. One thread at a time."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=_TIMEOUT_S)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def set_clock(self, now: datetime, *, rate: float) -> int:
        """Jump to an instant; return the number of the last tick, which has been published by then."""
        reply = self._post("/_sim/clock", {"now": now.isoformat(), "rate": rate})
        return int(reply["tick_seq"])

    def clock(self) -> Mapping[str, Any]:
        """Return now, tick_seq, next_tick_at and pending: the steps of orders under way in real time."""
        reply: Mapping[str, Any] = self._get("/_sim/clock")
        return reply

    def feeds(self) -> Mapping[str, Any]:
        """Return how many order_feeds and market_feeds are connected."""
        reply: Mapping[str, Any] = self._get("/_sim/feeds")
        return reply

    def set_windows(self, windows: Sequence[tuple[datetime, datetime]]) -> None:
        """Let the market tick every 3 s in these windows."""
        self._post("/_sim/windows", {"windows": [[a.isoformat(), b.isoformat()] for a, b in windows]})

    def schedule(self) -> list[datetime]:
        """Return the instants of the day at which the market ticks."""
        return [datetime.fromisoformat(text) for text in self._get("/_sim/schedule")]

    def orders(self) -> list[Mapping[str, Any]]:
        """Return every order that the broker ever accepted for processing."""
        return list(self._get("/_sim/orders"))

    def fills(self) -> list[Mapping[str, Any]]:
        """Return every execution."""
        return list(self._get("/_sim/fills"))

    def positions(self) -> list[Mapping[str, Any]]:
        """Return the day's positions of all accounts."""
        return list(self._get("/_sim/positions"))

    def placements(self) -> list[Mapping[str, Any]]:
        """Return every request that asked for a new order, with its real time of arrival."""
        return list(self._get(f"/_sim/requests?since=0&path={_PLACE}"))

    def faults(self) -> Mapping[str, Any]:
        """Return how many faults were injected, by kind."""
        reply: Mapping[str, Any] = self._get("/_sim/faults")
        return reply

    def _get(self, path: str) -> Any:  # noqa: ANN401  JSON
        return self._call("GET", path, None)

    def _post(self, path: str, body: object) -> Any:  # noqa: ANN401  JSON
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: object) -> Any:  # noqa: ANN401  JSON
        try:
            reply = self._client.request(method, path, json=body)
            reply.raise_for_status()
        except httpx.HTTPError as e:
            raise UnavailableError(f"the simulator does not answer {method} {path}: {e}") from e
        return reply.json()
