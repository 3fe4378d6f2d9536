"""One desk per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.db.session import Database
from tests.contract.simulator_kotak.broker import Broker
from tests.integration.order_path.desk import Desk, open_desk


@pytest.fixture
def desk(
    fresh_database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    """A desk with two customers logged in, at 09:20."""
    monkeypatch.setenv("NEO_SCRIP_CACHE_DIR", str(tmp_path / "scrips"))
    broker = Broker(tmp_path)
    database = Database(fresh_database_url)
    desk = open_desk(database, redis_url, broker, tmp_path)
    desk.valkey.flushdb()
    desk.enroll(2)
    yield desk
    desk.gateways.close()
    desk.valkey.close()
    database.close()
    broker.stop()
