"""Carry an account's calls through its own source address, and keep the evidence of each call."""

import errno
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from app.domain.errors import ConfigError, InvariantError

_LIVE_DOMAIN = ".binance.com"
_LIVE_REST = {"api": "https://api.binance.com/api", "fapi": "https://fapi.binance.com/fapi"}
_LIVE_STREAMS = {
    "ws_api": "wss://ws-api.binance.com/ws-api/v3",
    "spot": "wss://stream.binance.com:9443/",
    "futures": "wss://fstream.binance.com/",
}
_CONNECT_CAP_S = 3.0
_MAX_CONNECTIONS = 8
_DEAD_ADDRESS = frozenset(
    {errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL, errno.EACCES}
)


class Lane(StrEnum):
    """Name the two connection pools: a slow report must never hold up an order."""

    ORDERS = "ORDERS"
    READS = "READS"


@dataclass(slots=True)
class Wire:
    """Record what one SDK call did on the wire; this is what classification believes.

    `attempts` zero proves that nothing left. `fault` is what broke the exchange, if anything did.
    `refused_for_s` is set when our own budget held the call back.
    """

    attempts: int = 0
    status: int | None = None
    fault: BaseException | None = None
    retry_after_s: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    refused_for_s: float | None = None


class Endpoint:
    """Decide where calls may go: to the live hosts, or to one simulator and nowhere else (I15).

    Args:
        base_url: address of the simulator, None for the live broker.
    """

    def __init__(self, base_url: str | None) -> None:
        self._base = None if base_url is None else base_url.rstrip("/")
        if self._base is not None:
            parts = urlsplit(self._base)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ConfigError(f"base_url: expected http(s)://host:port, got {base_url!r}")

    def rest(self, api: str) -> str:
        """Return the address of "api" (spot) or "fapi" (futures)."""
        return _LIVE_REST[api] if self._base is None else f"{self._base}/{api}"

    def stream(self, name: str) -> str:
        """Return the address of "ws_api", "spot" or "futures" streams."""
        if self._base is None:
            return _LIVE_STREAMS[name]
        base = "ws" + self._base.removeprefix("http")
        return f"{base}/ws-api/v3" if name == "ws_api" else f"{base}/"

    def check(self, url: str) -> None:
        """Raise ConfigError for a foreign host."""
        parts = urlsplit(url)
        if self._base is not None:
            is_ours = parts.netloc == urlsplit(self._base).netloc
        else:
            is_ours = parts.scheme == "https" and (parts.hostname or "").endswith(_LIVE_DOMAIN)
        if not is_ours:
            raise ConfigError(f"expected an address of the broker, got {parts.scheme}://{parts.hostname}")


@dataclass(frozen=True, slots=True)
class _Call:
    wire: Wire
    lane: Lane
    timeout_s: float


class _BoundAdapter(HTTPAdapter):
    """Open connections from one source address with the TLS context that all accounts share."""

    def __init__(self, *, tls: ssl.SSLContext, egress: str) -> None:
        super().__init__(pool_connections=1, pool_maxsize=_MAX_CONNECTIONS)
        self.poolmanager = urllib3.PoolManager(
            num_pools=2,
            maxsize=_MAX_CONNECTIONS,
            ssl_context=tls,
            source_address=(egress, 0) if egress else None,
        )


class AccountTransport(HTTPAdapter):
    """Send one account's requests from its source address, with our time-outs and no redirects.

    Thread-safe: the call in progress belongs to the thread. The SDK's own 10 s time-out is replaced, and
    a redirect is handed back as it is, because following one re-posts an order. Proxies, `.netrc` and
    certificates of the environment are not looked at: they would change what leaves.
    """

    def __init__(self, *, endpoint: Endpoint, tls: ssl.SSLContext, egress: str) -> None:
        super().__init__()
        self.endpoint = endpoint
        self.egress = egress
        self._pools = {lane: _BoundAdapter(tls=tls, egress=egress) for lane in Lane}
        self._thread = threading.local()
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.mount("https://", self)
        self.session.mount("http://", self)

    @contextmanager
    def call(self, *, lane: Lane, timeout_s: float) -> Iterator[Wire]:
        """Frame one SDK call and yield the record of what it does on the wire."""
        wire = Wire()
        self._thread.call = _Call(wire, lane, timeout_s)
        try:
            yield wire
        finally:
            del self._thread.call

    def send(self, request: requests.PreparedRequest, *_: object, **settings: object) -> requests.Response:
        """Send one request; the whole reply is read here, so that its faults are recorded too."""
        call: _Call | None = getattr(self._thread, "call", None)
        if call is None:
            raise InvariantError("a request left the SDK outside a framed call")
        self.endpoint.check(request.url or "")
        limits = (min(call.timeout_s, _CONNECT_CAP_S), call.timeout_s)
        call.wire.attempts += 1
        try:
            response = self._pools[call.lane].send(
                request, timeout=limits, verify=settings.get("verify") is not False
            )
            response.content  # noqa: B018  # reading is the point
        except (requests.RequestException, OSError) as e:
            call.wire.fault = e
            raise
        call.wire.status = response.status_code
        call.wire.headers = {key.lower(): value for key, value in response.headers.items()}
        call.wire.retry_after_s = _seconds(call.wire.headers.get("retry-after"))
        response.headers.pop("Location", None)
        return response

    def close(self) -> None:
        """Close the pooled connections."""
        for pool in self._pools.values():
            pool.close()


def is_egress_fault(fault: BaseException | None) -> bool:
    """Whether a call failed because the source address is not ours or leads nowhere."""
    return any(isinstance(link, OSError) and link.errno in _DEAD_ADDRESS for link in chain(fault))


def chain(fault: BaseException | None) -> Iterator[BaseException]:
    """Yield a fault and what it was made of: its cause, and what requests and urllib3 wrap.

    Not its context: that may be an earlier fault which the caller was just handling.
    """
    waiting: list[object] = [fault]
    seen: set[int] = set()
    while waiting:
        link = waiting.pop(0)
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [link.__cause__, *link.args, getattr(link, "reason", None)]


def _seconds(header: str | None) -> float | None:
    if header is None or not header.strip().isdecimal():
        return None
    return float(header)
