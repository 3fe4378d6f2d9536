"""Paper can never reach a live broker (I15): its adapter calls loopback addresses and nothing else."""

import asyncio
import socket

import httpx
import pytest

from app.domain.accounts import BrokerCode
from app.domain.errors import ConfigError, ProtocolError
from app.domain.ports import BrokerSession
from app.domain.reports import Gap
from app.infra.clock import SystemClock
from brokers.paper.client import Lane, PaperClient
from brokers.paper.house import PaperHouse
from brokers.paper.loopback import loopback_url
from brokers.paper.stream import OrderStream
from brokers.registry import adapter


@pytest.mark.parametrize("url", ["http://127.0.0.1:8710", "http://127.8.9.10:1/", "http://[::1]:8710"])
def test_takes_a_loopback_address(url: str) -> None:
    assert loopback_url(url).port in (8710, 1)


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "http://api.binance.com",
        "https://127.0.0.1:8710",
        "http://127.0.0.1",
        "http://localhost:8710",
        "http://127.0.0.1.example.com:80",
        "http://10.0.0.5:8710",
        "http://0.0.0.0:8710",
        "http://2130706433:8710",
        "http://[::ffff:8.8.8.8]:8710",
        "http://127.0.0.1:8710@api.binance.com:80",
        "http://user@127.0.0.1:8710",
        "http://127.0.0.1:8710/elsewhere",
        "ws://127.0.0.1:8710",
        "127.0.0.1:8710",
    ],
)
def test_refuses_every_other_address(url: str | None) -> None:
    with pytest.raises(ConfigError, match="address of a paper exchange"):
        adapter(BrokerCode.PAPER, base_url=url, clock=SystemClock(), is_live_allowed=True)
    with pytest.raises(ConfigError):
        PaperHouse(url or "", token="t")


@pytest.mark.parametrize("broker", [code for code in BrokerCode if code is not BrokerCode.PAPER])
def test_refuses_the_session_of_another_broker(broker: BrokerCode) -> None:
    house = adapter(BrokerCode.PAPER, base_url="http://127.0.0.1:8710", clock=SystemClock())
    now = SystemClock().now()
    session = BrokerSession(broker=broker, expires_at=now.replace(year=now.year + 1), egress="", secret="{}")

    with pytest.raises(ProtocolError, match="expected a session of paper"):
        house.restore(session)


def test_the_stream_follows_no_redirect() -> None:
    """A handshake that is answered with a redirect ends as lost; nobody else is called."""
    asked: list[str] = []
    is_answered = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, target: str) -> None:
        asked.append(target)
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 307 Moved\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
        finally:
            writer.close()
            await writer.wait_closed()
            is_answered.set()

    async def first_event() -> object:
        other = await asyncio.start_server(lambda r, w: serve(r, w, target="/again"), "127.0.0.1", 0)
        elsewhere = f"ws://127.0.0.1:{other.sockets[0].getsockname()[1]}/events"
        one = await asyncio.start_server(lambda r, w: serve(r, w, target=elsewhere), "127.0.0.1", 0)
        base = loopback_url(f"http://127.0.0.1:{one.sockets[0].getsockname()[1]}")
        events = OrderStream(base, token="t", egress="", on_order=lambda _report: None).events()
        event = await anext(events)
        await events.aclose()  # type: ignore[attr-defined]  # it is an async generator
        await is_answered.wait()  # a loop that ends earlier leaves the exchange's end of the line open
        for server in (one, other):
            server.close()
        return event

    event = asyncio.run(first_event())

    assert isinstance(event, Gap)
    assert event.reason.startswith("lost: ")
    assert len(asked) == 1
    assert asked[0].startswith("ws://")


def test_a_proxy_of_the_environment_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener that never answers is reached itself; through a proxy it would be a refused connection."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = PaperClient(
            loopback_url(f"http://127.0.0.1:{listener.getsockname()[1]}"), token="t", egress=""
        )
        reply = client.call("GET", "/", lane=Lane.READS, timeout_s=0.2)
        client.close()

    assert isinstance(reply.fault, httpx.ReadTimeout)
