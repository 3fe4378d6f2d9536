"""One simulator process for the module, one account for each test."""

import socket
from collections.abc import Iterator

import pytest

from app.domain.ports import BrokerAdapter
from tests.contract.kotak_neo.desk import DayClock, KotakDesk, Simulator, new_adapter


@pytest.fixture(scope="module")
def clock() -> DayClock:
    """The day's clock."""
    return DayClock()


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory, clock: DayClock) -> Iterator[Simulator]:
    """A running simulator."""
    running = Simulator(tmp_path_factory.mktemp("kotak"), clock)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def house(simulator: Simulator, clock: DayClock) -> BrokerAdapter:
    """The adapter under test."""
    return new_adapter(simulator.base_url, clock)


@pytest.fixture(scope="module")
def far(clock: DayClock) -> Iterator[BrokerAdapter]:
    """An adapter whose broker is not there: the port is bound, but nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield new_adapter(f"http://127.0.0.1:{held.getsockname()[1]}", clock)


@pytest.fixture
def desk(
    simulator: Simulator, clock: DayClock, house: BrokerAdapter, far: BrokerAdapter
) -> Iterator[KotakDesk]:
    """A fresh account."""
    opened = KotakDesk(simulator, clock, house=house, far=far)
    yield opened
    opened.close()
