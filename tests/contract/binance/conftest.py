"""One simulator process for the module, one account for each test, for spot and for futures."""

import socket
from collections.abc import Iterator

import pytest

from app.domain.accounts import BrokerCode
from app.domain.ports import BrokerAdapter
from tests.contract.binance.desk import MARKETS, BinanceDesk, DayClock, Simulator, new_adapter


@pytest.fixture(scope="session")
def clock() -> DayClock:
    """The day's clock."""
    return DayClock()


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory, clock: DayClock) -> Iterator[Simulator]:
    """A running simulator."""
    running = Simulator(tmp_path_factory.mktemp("binance"), clock)
    yield running
    running.stop()


@pytest.fixture(scope="session", params=list(MARKETS), ids=list(MARKETS.values()))
def code(request: pytest.FixtureRequest) -> BrokerCode:
    """Spot, then futures."""
    return BrokerCode(request.param)


@pytest.fixture(scope="session")
def house(code: BrokerCode, simulator: Simulator, clock: DayClock) -> BrokerAdapter:
    """The adapter under test."""
    return new_adapter(code, simulator.base_url, clock)


@pytest.fixture(scope="session")
def far(code: BrokerCode, clock: DayClock) -> Iterator[BrokerAdapter]:
    """An adapter whose broker is not there: the port is bound, but nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield new_adapter(code, f"http://127.0.0.1:{held.getsockname()[1]}", clock)


@pytest.fixture
def desk(
    simulator: Simulator, clock: DayClock, house: BrokerAdapter, far: BrokerAdapter
) -> Iterator[BinanceDesk]:
    """A fresh account."""
    opened = BinanceDesk(simulator, clock, house=house, far=far)
    yield opened
    opened.close()
