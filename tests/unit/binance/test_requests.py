"""Nothing leaves for Binance that Binance refuses, changes or misreads."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import InvalidInputError
from app.domain.ids import ClientOrderId
from app.domain.orders import OrderType, Side, TimeInForce
from app.domain.ports import OrderRequest
from brokers.binance.instruments import FUTURES_SEGMENT, SPOT_SEGMENT, parse_exchange
from brokers.binance.requests import is_algo, place_fields
from brokers.binance.spot import SPOT_LIMITS
from tests.unit.binance.payloads import FUTURES, FUTURES_SYMBOL, SPOT, SPOT_SYMBOL, exchange

SYMBOLS = ("BTCUSDT",)
SPOT_RULES = parse_exchange(exchange(SPOT_SYMBOL), segment=SPOT_SEGMENT, fallback=SPOT_LIMITS).rules[
    "BTCUSDT"
]
FUTURES_RULES = parse_exchange(exchange(FUTURES_SYMBOL), segment=FUTURES_SEGMENT, fallback=SPOT_LIMITS).rules[
    "BTCUSDT"
]


def _order(**changes: object) -> OrderRequest:
    values: dict[str, object] = {
        "client_order_id": ClientOrderId("ob0123456789abcdef"),
        "instrument": SPOT,
        "side": Side.SELL,
        "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.GTC,
        "quantity": Decimal("0.01"),
        "price": Decimal("95000.10"),
        "trigger_price": None,
    }
    return OrderRequest(**(values | changes))  # type: ignore[arg-type]  # a test's table of fields


def _fields(request: OrderRequest) -> dict[str, str]:
    segment = request.instrument.segment
    rules = SPOT_RULES if segment == SPOT_SEGMENT else FUTURES_RULES
    return place_fields(request, segment=segment, symbols=SYMBOLS, rules=rules)


def test_every_field_of_a_spot_limit_is_the_text_that_binance_takes() -> None:
    assert _fields(_order()) == {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "quantity": "0.01",
        "type": "LIMIT",
        "newClientOrderId": "ob0123456789abcdef",
        "newOrderRespType": "RESULT",
        "price": "95000.10",
        "timeInForce": "GTC",
    }


@pytest.mark.parametrize(
    ("instrument", "order_type", "kind", "trigger"),
    [
        (SPOT, OrderType.STOP_LIMIT, "STOP_LOSS_LIMIT", "stopPrice"),
        (SPOT, OrderType.STOP_MARKET, "STOP_LOSS", "stopPrice"),
        (FUTURES, OrderType.STOP_LIMIT, "STOP", "triggerPrice"),
        (FUTURES, OrderType.STOP_MARKET, "STOP_MARKET", "triggerPrice"),
    ],
)
def test_stops_carry_their_trigger(
    instrument: object, order_type: OrderType, kind: str, trigger: str
) -> None:
    price = Decimal(94000) if order_type is OrderType.STOP_LIMIT else None
    request = _order(
        instrument=instrument, order_type=order_type, price=price, trigger_price=Decimal("94100.5")
    )

    fields = _fields(request)

    assert (fields["type"], fields[trigger]) == (kind, "94100.5")
    assert ("price" in fields, "timeInForce" in fields) == (price is not None, price is not None)


def test_the_algo_route_carries_its_own_client_id() -> None:
    request = _order(
        instrument=FUTURES,
        order_type=OrderType.STOP_MARKET,
        price=None,
        trigger_price=Decimal(94000),
        reduces_only=True,
    )

    fields = _fields(request)

    assert is_algo(request)
    assert (fields["clientAlgoId"], fields["reduceOnly"]) == ("ob0123456789abcdef", "true")
    assert "newClientOrderId" not in fields
    assert not is_algo(replace(request, instrument=SPOT))


def test_only_futures_know_orders_that_only_reduce() -> None:
    assert _fields(_order(instrument=FUTURES, reduces_only=True))["reduceOnly"] == "true"
    assert "reduceOnly" not in _fields(_order(instrument=FUTURES))
    assert "reduceOnly" not in _fields(_order(reduces_only=True))


def test_a_market_order_carries_no_price_and_no_duration() -> None:
    fields = _fields(_order(order_type=OrderType.MARKET, price=None, time_in_force=TimeInForce.DAY))

    assert (fields["type"], "price" in fields, "timeInForce" in fields) == ("MARKET", False, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"time_in_force": TimeInForce.DAY},
        {"price": None},
        {"trigger_price": Decimal(1)},
        {"order_type": OrderType.MARKET},
        {"order_type": OrderType.STOP_MARKET},
        {"order_type": OrderType.STOP_LIMIT},
        {"price": Decimal("95000.101")},
        {"price": Decimal(0)},
        {"price": Decimal("NaN")},
        {"price": Decimal("Infinity")},
        {"price": Decimal(2000000)},
        {"quantity": Decimal("0.000015")},
        {"quantity": Decimal("0.00009")},
        {"quantity": Decimal(0)},
        {"quantity": Decimal(-1)},
        {"quantity": Decimal("1e30")},
        {"quantity": Decimal(101)},
        {"quantity": Decimal("0.0001"), "price": Decimal(100)},
        {"instrument": replace(SPOT, broker_symbol="ETHUSDT")},
        {"instrument": replace(SPOT, segment="nse_fo")},
        {"client_order_id": ClientOrderId("x" * 37)},
        {"client_order_id": ClientOrderId("")},
        {"client_order_id": ClientOrderId("a b")},
        {"client_order_id": ClientOrderId("ob1\n")},
        {"position_ref": "17"},
    ],
)
def test_refuses_what_breaks_a_rule_of_the_venue(changes: dict[str, object]) -> None:
    request = _order(**changes)
    with pytest.raises(InvalidInputError):
        place_fields(request, segment=SPOT_SEGMENT, symbols=SYMBOLS, rules=SPOT_RULES)


def test_refuses_an_order_of_the_other_segment() -> None:
    with pytest.raises(InvalidInputError):
        place_fields(_order(instrument=FUTURES), segment=SPOT_SEGMENT, symbols=SYMBOLS, rules=None)


def test_refuses_a_symbol_that_is_halted_today() -> None:
    halted = replace(SPOT_RULES, is_trading=False)
    with pytest.raises(InvalidInputError, match="halted"):
        place_fields(_order(), segment=SPOT_SEGMENT, symbols=SYMBOLS, rules=halted)


def test_todays_rules_win_over_yesterdays_instrument() -> None:
    coarser = replace(SPOT_RULES, tick=Decimal(1))

    _fields(_order())
    with pytest.raises(InvalidInputError):
        place_fields(_order(), segment=SPOT_SEGMENT, symbols=SYMBOLS, rules=coarser)


def test_the_instrument_is_enough_until_the_rules_are_known() -> None:
    assert place_fields(_order(), segment=SPOT_SEGMENT, symbols=SYMBOLS, rules=None)["quantity"] == "0.01"
    with pytest.raises(InvalidInputError):
        place_fields(_order(quantity=Decimal("0.0000001")), segment=SPOT_SEGMENT, symbols=SYMBOLS, rules=None)


def test_a_futures_order_that_only_reduces_may_be_small() -> None:
    small = {"instrument": FUTURES, "quantity": Decimal("0.001")}

    assert _fields(_order(**small, reduces_only=True))["quantity"] == "0.001"
    with pytest.raises(InvalidInputError, match="notional"):
        _fields(_order(**small))


NUMBERS = st.decimals(allow_nan=True, allow_infinity=True) | st.decimals(
    min_value=0, max_value=200_000, places=2
)


@given(NUMBERS, NUMBERS, NUMBERS, st.sampled_from(OrderType))
def test_what_is_sent_lies_on_the_venues_grid(
    quantity: Decimal, price: Decimal, trigger: Decimal, order_type: OrderType
) -> None:
    has_price = order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    has_trigger = order_type in (OrderType.STOP_MARKET, OrderType.STOP_LIMIT)
    request = _order(
        quantity=quantity,
        order_type=order_type,
        price=price if has_price else None,
        trigger_price=trigger if has_trigger else None,
    )
    try:
        fields = _fields(request)
    except InvalidInputError:
        return
    assert Decimal(fields["quantity"]) % SPOT_RULES.step == 0
    assert SPOT_RULES.min_qty <= Decimal(fields["quantity"]) <= SPOT_RULES.max_qty
    for name in {"price", "stopPrice"} & set(fields):
        assert Decimal(fields[name]) % SPOT_RULES.tick == 0
        assert "E" not in fields[name].upper()
