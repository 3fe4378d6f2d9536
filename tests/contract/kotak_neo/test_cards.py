"""Kotak Neo keeps every card of the broker contract, against the simulator over the wire."""

import pytest

from tests.contract.cards import CARDS, Card
from tests.contract.kotak_neo.desk import KotakDesk


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.title)
def test_card(card: Card, desk: KotakDesk) -> None:
    card.check(desk)


def test_cards_are_numbered_without_gaps() -> None:
    assert [card.number for card in CARDS] == list(range(1, len(CARDS) + 1))
