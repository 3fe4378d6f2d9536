"""Check that a signal says one thing."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from api.schemas.signals import NewSignal
from app.domain.external import Amount, Leave, Target, Trade, Unit
from app.domain.orders import Side

BASE: dict[str, Any] = {"key": "k", "instrument_id": "BTCUSDT.BINANCE"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"target_lots": -2}, Target(amount=Amount(value=Decimal(-2), unit=Unit.LOTS))),
        ({"target_quantity": "0.5"}, Target(amount=Amount(value=Decimal("0.5"), unit=Unit.UNITS))),
        ({"target_lots": 0}, Target(amount=Amount(value=Decimal(0), unit=Unit.LOTS))),
        ({"side": "BUY", "lots": 1}, Trade(side=Side.BUY, amount=Amount(value=Decimal(1), unit=Unit.LOTS))),
        (
            {"side": "SELL", "quantity": "0.1"},
            Trade(side=Side.SELL, amount=Amount(value=Decimal("0.1"), unit=Unit.UNITS)),
        ),
        ({"leaves": True}, Leave()),
    ],
)
def test_each_size_is_its_ask(fields: dict[str, Any], expected: object) -> None:
    assert NewSignal(**BASE, **fields).wish().ask == expected


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"lots": 1},
        {"side": "BUY"},
        {"side": "BUY", "lots": 1, "quantity": "75"},
        {"side": "BUY", "target_lots": 1},
        {"leaves": True, "target_lots": 0},
        {"leaves": True, "side": "BUY"},
    ],
)
def test_two_things_at_once_or_none_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="expected"):
        NewSignal(**BASE, **fields)
