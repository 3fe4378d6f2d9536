"""The SDK is built without side effects, and signs with Binance's time."""

import asyncio
import logging
import ssl
import time

from brokers.binance.egress import AccountTransport, Endpoint
from brokers.binance.sdk import RECV_WINDOW_MS, load_sdk, new_client


def _transport() -> AccountTransport:
    load_sdk()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return AccountTransport(endpoint=Endpoint("http://127.0.0.1:8123"), tls=tls, egress="127.0.0.7")


def test_building_a_client_sends_nothing_and_leaves_no_loop_behind() -> None:
    new_client("key", "secret", transport=_transport(), now_ms=lambda: 0.0)

    async def inside() -> None:
        loop = asyncio.get_running_loop()
        new_client("key", "secret", transport=_transport(), now_ms=lambda: 0.0)
        assert asyncio.get_running_loop() is loop

    asyncio.run(inside())


def test_signatures_carry_binances_time_and_our_window() -> None:
    client = new_client("key", "secret", transport=_transport(), now_ms=lambda: 5_000_000.0)

    sent = dict(client._get_request_kwargs("post", signed=True, data={"symbol": "BTCUSDT"})["data"])

    assert abs(int(sent["timestamp"]) - 5_000_000) <= 2
    assert int(sent["recvWindow"]) == RECV_WINDOW_MS
    assert len(sent["signature"]) == 64


def test_addresses_are_those_of_the_simulator() -> None:
    client = new_client("key", "secret", transport=_transport(), now_ms=time.monotonic)

    assert client._create_api_uri("order") == "http://127.0.0.1:8123/api/v3/order"
    assert client._create_futures_api_uri("order") == "http://127.0.0.1:8123/fapi/v1/order"


def test_loggers_that_would_tell_secrets_are_silent() -> None:
    load_sdk()

    for name in ("binance", "binance.base_client", "urllib3.connectionpool"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
