"""A listen key is renewed in time, and an ended one is noticed when it is to be renewed."""

import asyncio
import ssl
from collections.abc import Iterator

import pytest

from brokers.binance.futures import AlgoNames
from brokers.binance.sources import FuturesSource
from brokers.binance.watch import LostError, close_socket
from tests.contract.binance.desk import Simulator, new_client
from tests.unit.binance.payloads import HandClock


@pytest.fixture
def opened(simulator: Simulator) -> Iterator[tuple[str, FuturesSource, HandClock]]:
    """An account's name, its source of futures news, and the clock that drives the source."""
    name, credentials = simulator.new_account()
    clock = HandClock()
    client = new_client(simulator, credentials, clock)
    yield name, FuturesSource(client, ssl.create_default_context(), clock, names=AlgoNames()), clock
    client.close()


def _renewals(simulator: Simulator, name: str) -> int:
    rows = simulator.get("requests", path="/fapi/v1/listenKey")
    return sum(row["account"] == name and row["method"] == "PUT" for row in rows)


def test_a_key_is_renewed_every_twenty_minutes(
    simulator: Simulator, opened: tuple[str, FuturesSource, HandClock]
) -> None:
    name, source, clock = opened

    async def live() -> None:
        socket = await source.open()
        for _ in range(3):
            clock.seconds += 10 * 60
            await source.keep_alive()
        await close_socket(socket)

    asyncio.run(live())

    assert _renewals(simulator, name) == 1


def test_a_key_that_ended_unnoticed_is_lost(
    simulator: Simulator, opened: tuple[str, FuturesSource, HandClock]
) -> None:
    name, source, clock = opened

    async def live() -> None:
        socket = await source.open()
        simulator.post("faults", {"faults": [{"kind": "listen_key_expired", "account": [name]}]})
        clock.seconds += 20 * 60
        try:
            await source.keep_alive()
        finally:
            await close_socket(socket)

    with pytest.raises(LostError, match="not renewed"):
        asyncio.run(live())
