"""One simulator process for all tests; each test begins with a fresh broker on Tuesday morning."""

from collections.abc import Iterator

import pytest

from brokers.simulators.mt5 import metatrader5 as mt5
from tests.contract.simulator_mt5.broker import Broker


@pytest.fixture(scope="session")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A simulator that runs as long as the tests."""
    running = Broker(tmp_path_factory.mktemp("mt5"))
    yield running
    running.stop()


@pytest.fixture
def broker(process: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """A calm broker; the fake module of this process is connected to the hedging account."""
    monkeypatch.setenv("MT5_SIMULATOR_URL", process.url)
    process.begin()
    process.connect()
    yield process
    mt5.shutdown()
