"""MT5 keeps every card of the broker contract, through real agents, netting and hedging."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.ports import BrokerAdapter
from tests.contract.cards import CARDS, Card
from tests.contract.mt5.desk import Mt5Desk
from tests.contract.mt5.house import DayClock, Simulator

# What an account's mode can change; the wire is the same for both.
_MODE_MATTERS = frozenset({1, 2, 3, 6, 7, 8, 18, 24})
_RUNS = [
    pytest.param(mode, card, id=f"{mode.lower()}-{card.title}")
    for mode in ("NETTING", "HEDGING")
    for card in CARDS
    if mode == "NETTING" or card.number in _MODE_MATTERS
]


@pytest.fixture
def desk(
    simulator: Simulator, clock: DayClock, house: BrokerAdapter, folder: Path, mode: str
) -> Iterator[Mt5Desk]:
    """A fresh account of a mode."""
    opened = Mt5Desk(simulator, clock, house=house, folder=folder, mode=mode)
    yield opened
    opened.close()


@pytest.mark.parametrize(("mode", "card"), _RUNS)
def test_card(card: Card, desk: Mt5Desk) -> None:
    card.check(desk)
