"""Calls go where they are allowed to go, and nowhere else."""

import errno
import ssl

import httpx
import pytest

from app.domain.errors import ConfigError, InvariantError
from brokers.kotak_neo.egress import AccountTransport, Endpoint, is_egress_fault


def test_a_simulator_receives_every_call() -> None:
    endpoint = Endpoint("http://127.0.0.1:8123")

    routed = endpoint.route(httpx.URL("https://mis.kotaksecurities.com/login/1.0/tradeApiLogin?x=1"))

    assert str(routed) == "http://127.0.0.1:8123/login/1.0/tradeApiLogin?x=1"


@pytest.mark.parametrize(
    "url",
    [
        "https://kotaksecurities.com.evil.example/x",
        "https://evilkotaksecurities.com/x",
        "http://mis.kotaksecurities.com/x",
        "https://127.0.0.1/x",
    ],
)
def test_live_calls_go_to_the_broker_only(url: str) -> None:
    with pytest.raises(ConfigError):
        Endpoint(None).route(httpx.URL(url))


def test_live_calls_keep_their_address() -> None:
    url = httpx.URL("https://e43.kotaksecurities.com/quick/user/orders")

    assert Endpoint(None).route(url) == url


@pytest.mark.parametrize(
    ("base_url", "stream"),
    [
        (None, "ws://e43.kotaksecurities.com/realtime"),
        (None, "wss://example.com/realtime"),
        ("http://127.0.0.1:8123", "wss://mis.kotaksecurities.com/realtime"),
    ],
)
def test_streams_lead_to_the_same_place_as_calls(base_url: str | None, stream: str) -> None:
    with pytest.raises(ConfigError):
        Endpoint(base_url).check_stream(stream)


def test_allowed_streams_pass() -> None:
    Endpoint(None).check_stream("wss://e43.kotaksecurities.com/realtime")
    Endpoint("http://127.0.0.1:8123").check_stream("ws://127.0.0.1:9000/realtime")


@pytest.mark.parametrize("text", ["", "127.0.0.1:80", "ftp://127.0.0.1"])
def test_a_broken_simulator_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Endpoint(text)


def test_a_request_outside_a_framed_call_is_a_bug() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    transport = AccountTransport(endpoint=Endpoint("http://127.0.0.1:9"), tls=tls, egress="")

    with pytest.raises(InvariantError):
        transport.handle_request(httpx.Request("GET", "http://127.0.0.1:9/"))


def test_an_egress_fault_is_found_at_the_bottom_of_the_chain() -> None:
    top, middle = httpx.ConnectError("x"), OSError("y")
    middle.__cause__ = OSError(errno.EADDRNOTAVAIL, "z")
    top.__cause__ = middle

    assert is_egress_fault(top)
    assert not is_egress_fault(httpx.ConnectError("x"))
    assert not is_egress_fault(OSError(errno.ECONNREFUSED, "x"))
