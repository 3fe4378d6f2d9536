"""One trading desk per test; imported by the conftest files that need it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.infra.engines.engines import Engines
from tests.contract.simulator_kotak.broker import Broker
from tests.integration.order_path.desk import Desk, open_desk


@pytest.fixture
def desk(
    fresh_database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    """A desk with two customers logged in, at 09:20."""
    monkeypatch.setenv("NEO_SCRIP_CACHE_DIR", str(tmp_path / "scrips"))
    broker = Broker(tmp_path)
    desk = open_desk(Engines(redis_url=redis_url, database_url=fresh_database_url), broker, tmp_path)
    desk.enroll(2)
    yield desk
    desk.close()
    broker.stop()
