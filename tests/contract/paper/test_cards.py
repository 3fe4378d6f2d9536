"""The paper broker keeps every card of the broker contract, against a real exchange over the wire."""

import pytest

from tests.contract.cards import CARDS, Card
from tests.contract.paper.desk import PaperDesk


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.title)
def test_card(card: Card, desk: PaperDesk) -> None:
    card.check(desk)
