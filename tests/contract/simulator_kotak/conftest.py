"""Simulators as processes: one calm broker per test, others on demand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.simulator_kotak.broker import Broker


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """A calm broker at 09:20 with three customers."""
    monkeypatch.setenv("NEO_SCRIP_CACHE_DIR", str(tmp_path / "scrips"))
    monkeypatch.setenv("NEO_HOLDINGS_CACHE_DIR", str(tmp_path / "holdings"))
    running = Broker(tmp_path)
    running.freeze("09:20:00")
    yield running
    running.stop()
