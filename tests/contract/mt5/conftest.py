"""One simulator process for the module, one account and agent for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.ports import BrokerAdapter
from tests.contract.mt5.house import DayClock, Simulator, new_adapter


@pytest.fixture(scope="module")
def clock() -> DayClock:
    """The day's clock."""
    return DayClock()


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory, clock: DayClock) -> Iterator[Simulator]:
    """A running simulator."""
    running = Simulator(tmp_path_factory.mktemp("mt5"), clock)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def house(simulator: Simulator, clock: DayClock) -> BrokerAdapter:
    """The adapter under test."""
    return new_adapter(simulator.base_url, clock)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for one terminal and its agent."""
    return tmp_path / "terminal"
