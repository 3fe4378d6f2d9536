"""Carry calls to the paper exchange, and keep the evidence of each."""

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import httpx

_CONNECT_CAP_S = 3.0
_POOL_CAP_S = 1.0
_KEEPALIVE_S = 50.0
_MAX_CONNECTIONS = 8
_DEAD_ADDRESS = frozenset(
    {errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL, errno.EACCES}
)


class Lane(StrEnum):
    """Name the two connection pools: a slow report must never hold up an order."""

    ORDERS = "ORDERS"
    READS = "READS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Hold what came back: a status with a JSON object (None if it was none), or the fault instead."""

    status: int | None = None
    body: Mapping[str, object] | None = None
    fault: httpx.HTTPError | None = None
    retry_after_s: float | None = None


class PaperClient:
    """Send each call once: no retry, no redirect, no proxy of the environment. Thread-safe.

    Args:
        base: loopback address of the exchange.
        token: of the session, or of the house.
        egress: source address, "" for any.
    """

    def __init__(self, base: httpx.URL, *, token: str, egress: str) -> None:
        self.base, self.token, self.egress = base, token, egress
        self._pools = {lane: _new_pool(egress) for lane in Lane}

    def call(
        self,
        method: str,
        path: str,
        *,
        lane: Lane,
        timeout_s: float,
        form: Mapping[str, object] | None = None,
    ) -> Reply:
        """Send one request and return what became of it; never raises for the exchange's doing."""
        request = httpx.Request(
            method,
            self.base.join(path),
            headers={"Authorization": f"Bearer {self.token}"},
            json=form,
            extensions={"timeout": _timeouts(timeout_s)},
        )
        try:
            response = self._pools[lane].handle_request(request)
            try:
                response.read()
            finally:
                response.close()
        except httpx.HTTPError as e:
            return Reply(fault=e)
        return Reply(
            status=response.status_code,
            body=_object(response),
            retry_after_s=_seconds(response.headers.get("Retry-After")),
        )

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


def _new_pool(egress: str) -> httpx.HTTPTransport:
    return httpx.HTTPTransport(
        verify=False,  # plain HTTP on loopback only: a TLS context would be built for nothing
        trust_env=False,
        local_address=egress or None,
        limits=httpx.Limits(
            max_connections=_MAX_CONNECTIONS,
            max_keepalive_connections=_MAX_CONNECTIONS,
            keepalive_expiry=_KEEPALIVE_S,
        ),
    )


def _timeouts(timeout_s: float) -> dict[str, float]:
    return {
        "connect": min(timeout_s, _CONNECT_CAP_S),
        "pool": min(timeout_s, _POOL_CAP_S),
        "read": timeout_s,
        "write": timeout_s,
    }


def _object(response: httpx.Response) -> Mapping[str, object] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.strip().isdecimal() else None
