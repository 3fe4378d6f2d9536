"""Calls go where they are allowed to go, and nowhere else; and nothing tells a secret."""

import errno
import ssl

import pytest
import requests
import urllib3

from app.domain.errors import ConfigError, InvariantError
from brokers.binance.egress import AccountTransport, Endpoint, is_egress_fault
from brokers.binance.session import Keys

SIMULATOR = "http://127.0.0.1:8123"


def test_a_simulator_receives_every_call_and_stream() -> None:
    endpoint = Endpoint(SIMULATOR + "/")

    assert endpoint.rest("fapi") == "http://127.0.0.1:8123/fapi"
    assert endpoint.stream("ws_api") == "ws://127.0.0.1:8123/ws-api/v3"
    assert endpoint.stream("futures") == "ws://127.0.0.1:8123/"
    endpoint.check("http://127.0.0.1:8123/api/v3/order")


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        (None, "https://binance.com.evil.example/api"),
        (None, "https://evilbinance.com/api"),
        (None, "http://api.binance.com/api"),
        (None, "https://127.0.0.1/api"),
        (SIMULATOR, "https://api.binance.com/api"),
        (SIMULATOR, "http://127.0.0.1:8124/api"),
        (SIMULATOR, "http://127.0.0.1:8123@evil.example/api"),
    ],
)
def test_a_foreign_host_is_refused(base_url: str | None, url: str) -> None:
    with pytest.raises(ConfigError):
        Endpoint(base_url).check(url)


def test_live_calls_and_streams_are_encrypted_and_go_to_the_broker() -> None:
    endpoint = Endpoint(None)

    for api in ("api", "fapi"):
        endpoint.check(endpoint.rest(api))
    for name in ("ws_api", "spot", "futures"):
        assert endpoint.stream(name).startswith("wss://")
        assert ".binance.com" in endpoint.stream(name)


@pytest.mark.parametrize("text", ["", "127.0.0.1:80", "ftp://127.0.0.1", "http://"])
def test_a_broken_simulator_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Endpoint(text)


def test_a_request_outside_a_framed_call_is_a_bug() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    transport = AccountTransport(endpoint=Endpoint(SIMULATOR), tls=tls, egress="")

    with pytest.raises(InvariantError):
        transport.session.get(f"{SIMULATOR}/api/v3/ping")


def test_an_egress_fault_is_found_inside_what_requests_wraps() -> None:
    connection = urllib3.connection.HTTPConnection("127.0.0.1")
    refused = urllib3.exceptions.NewConnectionError(connection, "x")
    refused.__cause__ = OSError(errno.EADDRNOTAVAIL, "z")
    pool = urllib3.HTTPConnectionPool("127.0.0.1")
    top = requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/", refused))

    assert is_egress_fault(top)
    assert not is_egress_fault(requests.ConnectionError(OSError(errno.ECONNREFUSED, "x")))


def test_keys_hide_themselves() -> None:
    keys = Keys(api_key="visible-key", api_secret="visible-secret", symbols=("BTCUSDT",))

    assert "visible" not in repr(keys)
