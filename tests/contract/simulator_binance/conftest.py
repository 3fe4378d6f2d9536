"""Simulators as processes: one calm venue per module, frozen anew before each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.simulator_binance.venue import Venue


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    """A calm venue at 10:00 UTC with three customers."""
    running = Venue(tmp_path)
    running.freeze("10:00:00")
    yield running
    running.stop()
