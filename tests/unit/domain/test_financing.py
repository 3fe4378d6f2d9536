"""Prove whose a cost of holding is: parts follow the quantities and add up exactly."""

from decimal import Decimal

import pytest

from app.domain.financing import share_out

STEP = Decimal("0.00000001")


@pytest.mark.parametrize(
    ("held", "parts"),
    [
        pytest.param({"a": "0.3"}, {"a": "2.91"}, id="one holder"),
        pytest.param({"a": "0.3", "b": "0"}, {"a": "2.91"}, id="who is out pays nothing"),
        pytest.param({"a": "-1", "b": "-2"}, {"a": "0.97", "b": "1.94"}, id="shorts"),
        pytest.param({"a": "3", "b": "-2"}, {"a": "8.73", "b": "-5.82"}, id="a long pays its short"),
        pytest.param({"a": "1", "b": "1", "c": "-2"}, {}, id="no net position"),
        pytest.param({}, {}, id="nobody"),
        pytest.param(
            {"a": "1", "b": "1", "c": "5"},
            {"a": "0.41571429", "b": "0.41571429", "c": "2.07857142"},
            id="the largest takes the rest",
        ),
    ],
)
def test_an_amount_is_shared_out_by_the_net_position(held: dict[str, str], parts: dict[str, str]) -> None:
    holdings = {who: Decimal(quantity) for who, quantity in held.items()}

    shared = share_out(Decimal("2.91"), holdings, step=STEP)

    assert shared == {who: Decimal(amount) for who, amount in parts.items()}
