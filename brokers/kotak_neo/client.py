"""Make raw calls with the unmodified SDK and return what came, with the evidence of the wire."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from brokers.kotak_neo.egress import AccountTransport, Lane, Wire
from brokers.kotak_neo.sdk import new_api

if TYPE_CHECKING:
    from neo_api_client.websocket.feed import SFeedWebSocket
    from neo_api_client.websocket.orderfeed import OrderFeedWebSocket

# What the SDK lets through: its own tree, httpx, and slips on replies it did not expect.
_SLIPS = (httpx.HTTPError, OSError, ValueError, TypeError, AttributeError, LookupError)
_RECORD_FIELDS = (
    "ucc",
    "edit_token",
    "edit_sid",
    "base_url",
    "data_center",
    "feed_url",
    "rt_url",
    "order_feed_url",
    "sfeed_websocket_url",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Hold what the SDK returned or raised, and what happened on the wire."""

    value: object
    wire: Wire

    @property
    def fault(self) -> BaseException | None:
        """What broke the exchange: as the transport saw it, else what the SDK keeps as the cause."""
        if self.wire.fault is not None:
            return self.wire.fault
        raised = self.value
        if isinstance(raised, dict):
            raised = raised.get("error") or raised.get("Error")
        return raised.__cause__ if isinstance(raised, BaseException) else None


class NeoClient:
    """Own one account's SDK object and its transport. Thread-safe, as the SDK object is."""

    def __init__(self, *, consumer_key: str, transport: AccountTransport) -> None:
        from neo_api_client.exceptions import NeoAPIException, OpenApiException

        self.transport = transport
        self._api = new_api(consumer_key, transport)
        self._raised = (OpenApiException, NeoAPIException, *_SLIPS)

    def call(self, method: str, *, lane: Lane, timeout_s: float, **arguments: object) -> Reply:
        """Call one SDK method with its own argument names, once."""
        with self.transport.call(lane=lane, timeout_s=timeout_s) as wire:
            try:
                value = getattr(self._api, method)(**arguments)
            except self._raised as e:
                value = e
        return Reply(value=value, wire=wire)

    def download(self, url: str, *, timeout_s: float) -> tuple[bytes | None, Reply]:
        """Fetch a file of the broker through the account's transport, not by the SDK's bare `httpx.get`."""
        with self.transport.call(lane=Lane.READS, timeout_s=timeout_s) as wire:
            try:
                response = self._api.api_client.rest_client.session.get(url)
            except httpx.HTTPError as e:
                return None, Reply(value=e, wire=wire)
        return response.content, Reply(value=None, wire=wire)

    def session_fields(self) -> dict[str, str | None]:
        """Return what another process needs to go on with this session."""
        return {name: getattr(self._api.configuration, name) for name in _RECORD_FIELDS}

    def restore(self, fields: dict[str, str | None]) -> None:
        """Take over a session that another process opened (brokers.md 1.3)."""
        for name in _RECORD_FIELDS:
            setattr(self._api.configuration, name, fields[name])

    def new_order_feed(self) -> "OrderFeedWebSocket":
        """Build an order feed that never reconnects by itself: the watchdog owns that."""
        feed = self._api.create_order_feed(max_connect_retries=0, max_reconnect_attempts=0)
        self.transport.endpoint.check_stream(feed.url)
        return feed

    def new_market_feed(self) -> "SFeedWebSocket":
        """Build a market feed that never reconnects by itself: the watchdog owns that."""
        feed = self._api.create_websocket(max_connect_retries=0, max_reconnect_attempts=0)
        self.transport.endpoint.check_stream(feed.url)
        return feed

    def close(self) -> None:
        """Release the connections."""
        self.transport.close()
