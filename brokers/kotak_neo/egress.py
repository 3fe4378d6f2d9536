"""Carry an account's calls through its own source address, and keep the evidence of each call."""

import errno
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import httpx

from app.domain.errors import ConfigError, InvariantError

_LIVE_DOMAIN = ".kotaksecurities.com"
_CONNECT_CAP_S = 3.0
_POOL_CAP_S = 1.0
# Kotak's idle limit is not documented; gateways commonly close after 60 s.
_KEEPALIVE_S = 50.0
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
    """

    attempts: int = 0
    status: int | None = None
    fault: Exception | None = None
    retry_after_s: float | None = None


class Endpoint:
    """Decide where calls may go: to the live hosts, or to one simulator and nowhere else (I15).

    Args:
        base_url: address of the simulator, None for the live broker.
    """

    def __init__(self, base_url: str | None) -> None:
        self._base = None if base_url is None else httpx.URL(base_url)
        if self._base is not None and (self._base.scheme not in ("http", "https") or not self._base.host):
            raise ConfigError(f"base_url: expected http(s)://host:port, got {base_url!r}")

    def route(self, url: httpx.URL) -> httpx.URL:
        """Return the address to call instead of `url`; raises ConfigError for a foreign host."""
        if self._base is not None:
            return url.copy_with(scheme=self._base.scheme, host=self._base.host, port=self._base.port)
        if url.scheme != "https" or not url.host.endswith(_LIVE_DOMAIN):
            raise ConfigError(
                f"expected an https address under *{_LIVE_DOMAIN}, got {url.scheme}://{url.host}"
            )
        return url

    def check_stream(self, url: str) -> None:
        """Refuse a stream address that leads elsewhere than the calls; raises ConfigError."""
        target = httpx.URL(url)
        if self._base is None:
            if target.scheme not in ("wss", "https") or not target.host.endswith(_LIVE_DOMAIN):
                raise ConfigError(f"expected a secure stream under *{_LIVE_DOMAIN}, got {target.host}")
        elif target.host != self._base.host:
            raise ConfigError(f"expected a stream of the simulator {self._base.host}, got {target.host}")

    @property
    def is_simulator(self) -> bool:
        """Whether calls go to a simulator."""
        return self._base is not None


@dataclass(frozen=True, slots=True)
class _Call:
    wire: Wire
    lane: Lane
    timeout_s: float


class AccountTransport(httpx.BaseTransport):
    """Send one account's requests from its source address, with our time-outs and no redirects.

    Thread-safe: the call in progress belongs to the thread. The SDK's own 30 s time-out is replaced,
    and a redirect is handed back as it is, because following one re-posts an order (brokers.md 1.12).
    """

    def __init__(self, *, endpoint: Endpoint, tls: ssl.SSLContext, egress: str) -> None:
        self.endpoint = endpoint
        self.egress = egress
        self._pools = {lane: _new_pool(tls, egress) for lane in Lane}
        self._thread = threading.local()

    @contextmanager
    def call(self, *, lane: Lane, timeout_s: float) -> Iterator[Wire]:
        """Frame one SDK call and yield the record of what it does on the wire."""
        wire = Wire()
        self._thread.call = _Call(wire, lane, timeout_s)
        try:
            yield wire
        finally:
            del self._thread.call

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the whole reply is read here, so that its faults are recorded too."""
        call: _Call | None = getattr(self._thread, "call", None)
        if call is None:
            raise InvariantError("a request left the SDK outside a framed call")
        request.url = self.endpoint.route(request.url)
        request.headers["Host"] = request.url.netloc.decode("ascii")
        request.extensions = {**request.extensions, "timeout": _timeouts(request, call.timeout_s)}
        call.wire.attempts += 1
        try:
            response = self._pools[call.lane].handle_request(request)
            try:
                response.read()
            finally:
                response.close()
        except httpx.HTTPError as e:
            call.wire.fault = e
            raise
        call.wire.status = response.status_code
        call.wire.retry_after_s = _seconds(response.headers.get("Retry-After"))
        response.headers.pop("Location", None)
        return response

    def close(self) -> None:
        """Close the pooled connections."""
        for pool in self._pools.values():
            pool.close()


def is_egress_fault(fault: BaseException | None) -> bool:
    """Whether a call failed because the source address is not ours or leads nowhere."""
    while fault is not None:
        if isinstance(fault, OSError) and fault.errno in _DEAD_ADDRESS:
            return True
        fault = fault.__cause__ or fault.__context__
    return False


def _new_pool(tls: ssl.SSLContext, egress: str) -> httpx.HTTPTransport:
    return httpx.HTTPTransport(
        verify=tls,
        local_address=egress or None,
        limits=httpx.Limits(
            max_connections=_MAX_CONNECTIONS,
            max_keepalive_connections=_MAX_CONNECTIONS,
            keepalive_expiry=_KEEPALIVE_S,
        ),
    )


def _timeouts(request: httpx.Request, timeout_s: float) -> dict[str, float]:
    # The SDK asks its config service with 5 s: the shorter of the two holds.
    theirs = request.extensions.get("timeout", {}).get("read")
    timeout_s = timeout_s if theirs is None else min(timeout_s, theirs)
    return {
        "connect": min(timeout_s, _CONNECT_CAP_S),
        "pool": min(timeout_s, _POOL_CAP_S),
        "read": timeout_s,
        "write": timeout_s,
    }


def _seconds(header: str | None) -> float | None:
    if header is None or not header.strip().isdecimal():
        return None
    return float(header)
