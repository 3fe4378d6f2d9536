"""MT5 keeps every card of the broker contract, through real agents, netting and hedging."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.ports import BrokerAdapter
from tests.contract.cards import CARDS, Card
from tests.contract.mt5.desk import Mt5Desk
from tests.contract.mt5.house import DayClock, Simulator

# What an account's mode can change; the wire is the same for both.
_MODE_MATTERS = frozenset({2, 3, 6, 18})
_LEAVE_NOTHING = frozenset({1, 5, 9, 10, 11, 12, 14, 15, 19})
_RUNS = [
    pytest.param(mode, card, id=f"{mode.lower()}-{card.title}")
    for mode in ("NETTING", "HEDGING")
    for card in CARDS
    if mode == "NETTING" or card.number in _MODE_MATTERS
]


@pytest.fixture(scope="module")
def untraded(
    simulator: Simulator,
    clock: DayClock,
    house: BrokerAdapter,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mt5Desk]:
    """An account for the cards after which it is as fresh as before: an agent costs most of a second."""
    folder = tmp_path_factory.mktemp("untraded") / "terminal"
    opened = Mt5Desk(simulator, clock, house=house, folder=folder, mode="NETTING")
    yield opened
    opened.close()


@pytest.fixture
def desk(
    request: pytest.FixtureRequest,
    simulator: Simulator,
    clock: DayClock,
    house: BrokerAdapter,
    folder: Path,
    mode: str,
    card: Card,
) -> Iterator[Mt5Desk]:
    """A fresh account of a mode."""
    if mode == "NETTING" and card.number in _LEAVE_NOTHING:
        shared: Mt5Desk = request.getfixturevalue("untraded")
        shared.relay.requests.clear()
        assert not shared.book()
        yield shared
        return
    opened = Mt5Desk(simulator, clock, house=house, folder=folder, mode=mode)
    yield opened
    opened.close()


@pytest.mark.parametrize(("mode", "card"), _RUNS)
def test_card(card: Card, desk: Mt5Desk) -> None:
    card.check(desk)
