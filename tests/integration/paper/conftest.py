"""One stage for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.infra.engines.engines import Engines
from tests.integration.paper.desk import PaperStage, open_stage


@pytest.fixture
def stage(
    fresh_database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PaperStage]:
    """A desk at 09:20 without anybody on it; its paper exchange is not started."""
    monkeypatch.setenv("NEO_SCRIP_CACHE_DIR", str(tmp_path / "scrips"))
    opened = open_stage(Engines(redis_url=redis_url, database_url=fresh_database_url), tmp_path)
    yield opened
    opened.close()
