"""Speak to the paper exchange as its owner: feed it prices, close its sessions."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from app.domain.errors import ConfigError
from brokers.paper import mapping
from brokers.paper.client import Lane, PaperClient
from brokers.paper.errors import read_body
from brokers.paper.loopback import loopback_url


class Price(Protocol):
    """Name what a quote needs; `app.domain.market_data.Tick` has it."""

    @property
    def instrument_id(self) -> str:
        """Our instrument id."""

    @property
    def last(self) -> Decimal:
        """Last traded price."""

    @property
    def bid(self) -> Decimal | None:
        """Best bid."""

    @property
    def ask(self) -> Decimal | None:
        """Best ask."""

    @property
    def ts_event(self) -> datetime:
        """When it was at the venue."""


class PaperHouse:
    """Act as the owner of one exchange. Thread-safe; every call raises BrokerError subclasses.

    Args:
        base_url: address of the exchange, loopback only.
        token: see `read_token`.
    """

    def __init__(self, base_url: str, *, token: str, timeout_s: float = 5.0) -> None:
        self._client = PaperClient(loopback_url(base_url), token=token, egress="")
        self._timeout_s = timeout_s

    def post_quotes(self, prices: Iterable[Price]) -> int:
        """Tell prices and return how many were news; working orders are matched before it returns."""
        quotes = [
            {
                "instrument": price.instrument_id,
                "last": str(price.last),
                "bid": None if price.bid is None else str(price.bid),
                "ask": None if price.ask is None else str(price.ask),
                "time": price.ts_event.isoformat(),
            }
            for price in prices
        ]
        return mapping.whole(self._post("/quotes", {"quotes": quotes}), "taken")

    def close_session(self, venue: str | None = None) -> int:
        """End the orders for the day of a venue (None: of all) and return how many ended."""
        return mapping.whole(self._post("/session/close", {"venue": venue}), "expired")

    def reject_order(self, broker_order_id: str, reason: str) -> None:
        """Take a working order out as a venue's risk desk does, to rehearse it."""
        self._post(f"/house/orders/{broker_order_id}/reject", {"reason": reason})

    def end_sessions(self, account: str) -> None:
        """End every broker session of an account."""
        self._post("/house/sessions/end", {"account": account})

    def close(self) -> None:
        """Release the connections."""
        self._client.close()

    def _post(self, path: str, form: dict[str, object]) -> mapping.Row:
        return read_body(
            self._client.call("POST", path, lane=Lane.READS, timeout_s=self._timeout_s, form=form)
        )


def read_token(home: Path) -> str:
    """Return the token that the exchange made in its home folder. Raises: ConfigError: there is none."""
    try:
        return (home / "token").read_text(encoding="ascii").strip()
    except OSError as e:
        raise ConfigError(f"expected the token of a paper exchange in {home}, found none") from e
