"""One exchange process for the module, one account and one wire for each test."""

import socket
from collections.abc import Iterator

import pytest

from app.domain.ports import BrokerAdapter
from tests.contract.paper.desk import CARD_RULES, Exchange, PaperDesk, new_adapter


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """A running exchange."""
    running = Exchange(tmp_path_factory.mktemp("paper") / "home", CARD_RULES)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def far() -> Iterator[BrokerAdapter]:
    """An adapter whose exchange is not there: the port is bound, but nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield new_adapter(f"http://127.0.0.1:{held.getsockname()[1]}")


@pytest.fixture
def desk(exchange: Exchange, far: BrokerAdapter) -> Iterator[PaperDesk]:
    """A fresh account."""
    opened = PaperDesk(exchange, far)
    yield opened
    opened.close()
