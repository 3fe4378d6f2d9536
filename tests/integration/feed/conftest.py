"""One empty desk for each test."""

from collections.abc import Iterator

import pytest

from app.db.session import Database
from app.infra.engines.engines import Engines
from app.infra.streams import connect
from tests.integration.feed.desk import Desk


@pytest.fixture
def desk(fresh_database_url: str, engines: Engines) -> Iterator[Desk]:
    database, valkey = Database(fresh_database_url), connect(engines.redis_url)
    valkey.flushdb()
    yield Desk(database=database, valkey=valkey, redis_url=engines.redis_url)
    valkey.close()
    database.close()
