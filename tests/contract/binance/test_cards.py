"""Binance spot and futures keep every card of the broker contract, against the simulator over the wire."""

import pytest

from tests.contract.binance.desk import BinanceDesk
from tests.contract.cards import CARDS, Card


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.title)
def test_card(card: Card, desk: BinanceDesk) -> None:
    card.check(desk)
