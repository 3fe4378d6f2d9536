"""One empty stage for each test."""

from collections.abc import Iterator

import pytest

from app.db.session import Database
from app.infra.engines.engines import Engines
from app.infra.streams import connect
from tests.integration.loops.stage import Stage


@pytest.fixture
def stage(fresh_database_url: str, engines: Engines) -> Iterator[Stage]:
    database = Database(fresh_database_url)
    valkey = connect(engines.redis_url)
    valkey.flushdb()
    stage = Stage(database, valkey)
    yield stage
    stage.stop()
    valkey.close()
    database.close()
