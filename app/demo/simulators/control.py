"""Speak to the control door of a simulated broker, whichever it is."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx

from app.domain.errors import UnavailableError

_TIMEOUT_S = 30.0
_PATIENCE_S = 10.0
_AGAIN_S = 0.1
Row = Mapping[str, Any]


class SimulatorControl(ABC):
    """Set a simulator's clock and read its books. One thread at a time.

    Its books come in one form, whatever the broker's own words: an order has `client`, `tag`,
    `broker_order_id`, `symbol`, `side` (BUY, SELL), `filled` (units) and `avg_px`; a position `client`,
    `symbol`, `bought` and `sold`.
    """

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=_TIMEOUT_S)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def set_clock(self, now: datetime, *, rate: float) -> int:
        """Jump to an instant; return the number of the last tick, which has been published by then."""
        reply = self.post("/_sim/clock", {"now": now.isoformat(), "rate": rate})
        return int(reply["tick_seq"])

    def progress(self) -> tuple[int, Decimal]:
        """Return how many steps of orders are under way there, and what all have filled, in units."""
        clock = self.get("/_sim/clock")
        return int(clock["pending"]), Decimal(str(clock["filled"]))

    def connections(self) -> tuple[int, int]:
        """Return how many accounts' order streams and how many price streams are connected."""
        feeds = self.get("/_sim/feeds")
        return int(feeds["order_feeds"]), int(feeds["market_feeds"])

    def set_windows(self, windows: Sequence[tuple[datetime, datetime]]) -> None:
        """Let the market tick every 3 s in these windows."""
        self.post("/_sim/windows", {"windows": [[a.isoformat(), b.isoformat()] for a, b in windows]})

    def schedule(self) -> list[datetime]:
        """Return the instants of the day at which the market ticks."""
        return [datetime.fromisoformat(text) for text in self.get("/_sim/schedule")]

    @abstractmethod
    def orders(self) -> list[Row]:
        """Return every order that the broker ever accepted for processing."""

    @abstractmethod
    def positions(self) -> list[Row]:
        """Return what each account has bought and sold on the day."""

    def placements(self) -> list[Row]:
        """Return every request for a new order: its `tag` and its real time of arrival, `real`.

        Only where the bell is measured; elsewhere none.
        """
        return []

    def faults(self) -> Row:
        """Return how many faults were injected, by kind."""
        reply: Row = self.get("/_sim/faults")
        return reply

    def get(self, path: str) -> Any:  # noqa: ANN401  JSON
        """Read from the control door. Raises UnavailableError."""
        return self._call("GET", path, None)

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401  JSON
        """Write to the control door. Raises UnavailableError."""
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: object) -> Any:  # noqa: ANN401  JSON
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                reply = self._client.request(method, path, json=body)
                reply.raise_for_status()
            except httpx.TransportError as e:
                # A fault of refused connections closes this door as well, for a few seconds.
                if time.monotonic() > deadline:
                    raise UnavailableError(f"the simulator does not answer {method} {path}: {e}") from e
                time.sleep(_AGAIN_S)
            except httpx.HTTPError as e:
                raise UnavailableError(f"the simulator refuses {method} {path}: {e}") from e
            else:
                return reply.json()


def totals(fills: Sequence[Row]) -> list[Row]:
    """Return the positions that fills make: rows of `client`, `symbol`, `side` (BUY, SELL), `qty` (units)."""
    sums: dict[tuple[str, str], dict[str, Decimal]] = {}
    for fill in fills:
        both = sums.setdefault((fill["client"], fill["symbol"]), {"BUY": Decimal(0), "SELL": Decimal(0)})
        both[fill["side"]] += Decimal(fill["qty"])
    return [
        {"client": client, "symbol": symbol, "bought": both["BUY"], "sold": both["SELL"]}
        for (client, symbol), both in sums.items()
    ]
