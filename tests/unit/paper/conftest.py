"""One book in a folder for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from brokers.paper.exchange.rules import Rules
from tests.unit.paper.books import Book


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    """A book with two ticks of slippage."""
    opened = Book(tmp_path / "home", Rules(slippage_ticks=2))
    yield opened
    opened.store.close()
