"""Load python-binance and build its clients without its side effects."""

import asyncio
import functools
import logging
import threading
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import requests

from brokers.binance.egress import AccountTransport

if TYPE_CHECKING:
    from binance.client import Client

RECV_WINDOW_MS = 3_000
"""How long Binance may hold a signed request before it must drop it (brokers.md 2.8)."""


def load_sdk() -> None:
    """Import the SDK (about 1 s, so before the bell).

    Its loggers never speak below WARNING: at DEBUG urllib3 and the SDK would write signed addresses and
    whole messages.
    """
    with warnings.catch_warnings():
        # The SDK uses names that the current websockets package has deprecated; we don't use those parts.
        warnings.simplefilter("ignore", DeprecationWarning)
        import binance.client  # noqa: F401
    for name in ("binance", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.WARNING)


@functools.cache
def _client_class() -> "type[Client]":
    from binance.client import Client

    class RoutedClient(Client):  # type: ignore[misc]  # the SDK has no types
        """Send through our transport, signed with Binance's time.

        The SDK signs with `time.time() + timestamp_offset`; a property there makes it the machine's time
        corrected by what Binance's clock says (brokers.md 2.1: the sync client never sets the offset).
        """

        def __init__(
            self, key: str, secret: str, *, transport: AccountTransport, now_ms: Callable[[], float]
        ) -> None:
            self._transport, self._now_ms = transport, now_ms
            endpoint = transport.endpoint
            self.API_URL = endpoint.rest("api")
            self.FUTURES_URL = endpoint.rest("fapi")
            self.REQUEST_RECVWINDOW = RECV_WINDOW_MS
            # Its constructor would ping, outside of any framed call (brokers.md 2.1).
            super().__init__(key, secret, ping=False)

        def _init_session(self) -> requests.Session:
            session = self._transport.session
            session.headers.update(self._get_headers())
            return session

        @property
        def timestamp_offset(self) -> float:
            return self._now_ms() - time.time() * 1000  # noqa: TID251  # it is what the SDK adds

        @timestamp_offset.setter
        def timestamp_offset(self, value: float) -> None:
            """Ignore what the SDK's constructor sets."""

    return RoutedClient


def new_client(
    key: str, secret: str, *, transport: AccountTransport, now_ms: Callable[[], float]
) -> "Client":
    """Build one SDK client around a transport of ours; sends nothing.

    The SDK's constructor binds the thread's event loop and makes one where there is none, and nobody
    closes it. So it runs in a thread of its own with a loop that is closed at once.
    """
    built: list[Client] = []

    def build() -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            built.append(_client_class()(key, secret, transport=transport, now_ms=now_ms))
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    thread = threading.Thread(target=build, name="binance-client")
    thread.start()
    thread.join()
    return built[0]
