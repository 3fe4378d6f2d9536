"""Check how OpenAlgo's fields are read, and what is refused because we would not keep it."""

import json
from decimal import Decimal
from typing import Any

import pytest

from api.openalgo.requests import close_wish, order_wish, parse_body, smart_wish
from app.domain.errors import InvalidInputError
from app.domain.external import Amount, Leave, Target, Trade, Unit
from app.domain.orders import Side

ORDER: dict[str, Any] = {
    "apikey": "k",
    "strategy": "afl",
    "symbol": "NIFTY24NOV2626050CE",
    "exchange": "NFO",
    "action": "buy",
    "product": "MIS",
    "pricetype": "MARKET",
    "quantity": "75",
    "price": "0",
    "trigger_price": 0,
    "disclosed_quantity": "0",
}


def test_an_order_is_read_as_its_documentation_says() -> None:
    wish, is_print = order_wish(ORDER)

    assert wish.instrument_id == "NIFTY-20261124-26050-CE.NSE"
    assert wish.ask == Trade(side=Side.BUY, amount=Amount(value=Decimal(75), unit=Unit.UNITS))
    assert wish.reason == "openalgo afl"
    assert is_print


def test_equal_orders_have_one_print_and_others_another() -> None:
    first = order_wish(ORDER)[0].key

    assert order_wish({**ORDER, "quantity": 75, "price": 0.0})[0].key == first
    for changes in ({"quantity": 150}, {"action": "SELL"}, {"strategy": "b"}):
        assert order_wish({**ORDER, **changes})[0].key != first


def test_a_key_of_its_own_is_kept() -> None:
    wish, is_print = order_wish({**ORDER, "client_order_id": "mine-1", "stop_fraction": "0.2"})

    assert (wish.key, is_print, wish.stop_fraction) == ("mine-1", False, Decimal("0.2"))


def test_position_size_is_the_target_and_quantity_means_nothing() -> None:
    one = smart_wish({**ORDER, "position_size": "-150"})
    other = smart_wish({**ORDER, "position_size": "-150", "quantity": "0"})

    assert one.ask == other.ask == Target(amount=Amount(value=Decimal(-150), unit=Unit.UNITS))
    assert one.key != other.key


def test_closing_closes_everything() -> None:
    wish = close_wish({"apikey": "k", "strategy": "afl"})

    assert (wish.ask, wish.instrument_id) == (Leave(), None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pricetype": "LIMIT"}, "pricetype: expected MARKET"),
        ({"pricetype": "SL-M"}, "pricetype: expected MARKET"),
        ({"product": "NRML"}, "product: expected MIS"),
        ({"product": "CNC"}, "product: expected MIS"),
        ({"price": "101.5"}, "price: expected 0"),
        ({"trigger_price": "1"}, "trigger_price: expected 0"),
        ({"disclosed_quantity": "1"}, "disclosed_quantity: expected 0"),
        ({"action": "HOLD"}, "action: expected BUY or SELL"),
        ({"quantity": "0"}, "amount: expected above 0"),
        ({"quantity": "x"}, "quantity: expected a decimal"),
        ({"quantity": None}, "quantity: expected a value"),
        ({"symbol": "SBIN", "exchange": "NSE"}, "symbol: expected"),
        ({"target": "5"}, "got also target"),
    ],
)
def test_what_would_not_be_kept_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        order_wish({**ORDER, **changes})


@pytest.mark.parametrize("raw", [b"", b"[]", b"apikey=k", b'{"a":"' + b"x" * 4096 + b'"}'])
def test_a_body_is_a_small_object(raw: bytes) -> None:
    with pytest.raises(InvalidInputError, match="body: expected"):
        parse_body(raw)


def test_numbers_stay_exact() -> None:
    assert parse_body(json.dumps({"stop_fraction": 0.1}).encode()) == {"stop_fraction": Decimal("0.1")}
