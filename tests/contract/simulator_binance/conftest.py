"""Simulators as processes: one per module, with a new customer and no faults for each test."""

from collections.abc import Iterator

import pytest

from tests.contract.simulator_binance.venue import Venue


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """A calm venue that stands at 10:00 UTC when the module begins."""
    running = Venue(tmp_path_factory.mktemp("venue"))
    running.freeze("10:00:00")
    yield running
    running.stop()


@pytest.fixture
def venue(process: Venue) -> Venue:
    """The module's venue with a new customer."""
    process.renew()
    return process
