"""Start days in folders of their own and end them with their test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.days import RunningDay

StartDay = Callable[..., RunningDay]


@pytest.fixture
def start_day(tmp_path: Path) -> Iterator[StartDay]:
    """A function that starts a day with options of `openbell demo`."""
    days: list[RunningDay] = []

    def start(*options: str, **settings: str) -> RunningDay:
        folder = tmp_path / f"day-{len(days)}"
        folder.mkdir()
        day = RunningDay(folder, *options, settings=settings)
        days.append(day)
        return day

    yield start
    for day in days:
        day.stop()
