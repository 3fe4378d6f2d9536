"""Call an agent over HTTP, once, and return what came, with the evidence of the wire."""

import itertools
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import httpx

from app.domain.errors import ProtocolError
from brokers.mt5.protocol import PROTOCOL
from brokers.mt5.values import Row, parse_json

_CONNECT_CAP_S = 3.0
_POOL_CAP_S = 1.0
# The agent is asked to answer a little before we stop listening.
_HEAD_START = 0.9
_KEEPALIVE_S = 50.0
_MAX_CONNECTIONS = 8

# The request cannot have reached the agent: no connection, or none free in the pool.
NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


class Lane(StrEnum):
    """Name the two connection pools: a slow report must never hold up an order."""

    ORDERS = "ORDERS"
    READS = "READS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Hold one exchange with the agent.

    `body` is None unless the agent itself answered this very request: pages of others do not count.
    `fault` is what broke the exchange, if anything did.
    """

    body: Row | None = None
    status: int | None = None
    fault: httpx.HTTPError | None = None
    text: str = ""


class AgentClient:
    """Own the connections to one agent. Thread-safe; redirects are handed back, never followed.

    Args:
        url: the agent's address.
        token: what it was started with.
        tls: the context all accounts share.
        egress: source address of the account, "" for the default route.
    """

    def __init__(self, *, url: str, token: str, tls: ssl.SSLContext, egress: str) -> None:
        self.egress = egress
        self._numbers = itertools.count(1)
        self._pools = {lane: _new_pool(url, token=token, tls=tls, egress=egress) for lane in Lane}

    def call(
        self, name: str, body: Mapping[str, object], *, timeout_s: float, lane: Lane = Lane.READS
    ) -> Reply:
        """Ask the agent one thing; nothing is ever asked twice. Faults come back as values."""
        pool = self._pools[lane]
        if pool.is_closed:
            return Reply(fault=httpx.ConnectError("the gateway was closed"), text="the gateway was closed")
        nonce = next(self._numbers)
        asked = {**body, "nonce": nonce, "timeout_s": timeout_s * _HEAD_START}
        limits = httpx.Timeout(
            timeout_s, connect=min(timeout_s, _CONNECT_CAP_S), pool=min(timeout_s, _POOL_CAP_S)
        )
        try:
            response = pool.post(f"/v1/{name}", content=json.dumps(asked), timeout=limits)
        except httpx.HTTPError as e:
            return Reply(fault=e, text=f"{type(e).__name__} {e}".strip()[:200])
        return _reply(response, asked)

    def close(self) -> None:
        """Close the pooled connections."""
        for pool in self._pools.values():
            pool.close()


def _new_pool(url: str, *, token: str, tls: ssl.SSLContext, egress: str) -> httpx.Client:
    return httpx.Client(
        base_url=url,
        headers={"Authorization": f"Bearer {token}"},
        follow_redirects=False,
        trust_env=False,
        transport=httpx.HTTPTransport(
            verify=tls,
            local_address=egress or None,
            limits=httpx.Limits(
                max_connections=_MAX_CONNECTIONS,
                max_keepalive_connections=_MAX_CONNECTIONS,
                keepalive_expiry=_KEEPALIVE_S,
            ),
        ),
    )


def _reply(response: httpx.Response, asked: Mapping[str, object]) -> Reply:
    status = response.status_code
    text = f"HTTP {status}"
    try:
        body = parse_json(response.content)
    except ProtocolError:
        return Reply(status=status, text=f"{text}: unreadable")
    if not isinstance(body, dict) or body.get("protocol") != PROTOCOL:
        return Reply(status=status, text=f"{text}: no reply of an agent")
    # A refusal at the door has not read the question; every other reply must repeat it.
    is_ours = all(body.get(name) == asked.get(name) for name in ("nonce", "command_id"))
    is_at_door = status in (401, 403) and "nonce" not in body
    if 300 <= status < 400 or not (is_ours or is_at_door):
        return Reply(status=status, text=f"{text}: the answer to another question")
    return Reply(body=body, status=status, text=f"{text}: {body.get('message') or body.get('result')}"[:200])
