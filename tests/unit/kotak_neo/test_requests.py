"""Nothing leaves for Kotak that Kotak refuses, changes or misreads."""

from datetime import date
from decimal import Decimal

import pytest

from app.domain.errors import InvalidInputError
from app.domain.ids import BrokerOrderId, ClientOrderId
from app.domain.instruments import (
    Instrument,
    InstrumentKind,
    OptionRight,
    OptionTerms,
    Venue,
    index_id,
    option_id,
)
from app.domain.orders import OrderType, Side, TimeInForce
from app.domain.ports import OrderChange, OrderRequest
from brokers.kotak_neo.requests import modify_fields, place_fields

EXPIRY = date(2019, 1, 3)
OPTION = Instrument(
    instrument_id=option_id("NIFTY", expiry=EXPIRY, strike=Decimal(10850), right=OptionRight.CALL),
    venue=Venue.NSE,
    kind=InstrumentKind.OPTION,
    segment="nse_fo",
    broker_symbol="NIFTY1910310850CE",
    broker_token="40041",
    tick_size=Decimal("0.05"),
    lot_size=Decimal(65),
    freeze_qty=Decimal(1800),
    option=OptionTerms(
        underlying=index_id("NIFTY"), expiry=EXPIRY, strike=Decimal(10850), right=OptionRight.CALL
    ),
)
INDEX = Instrument(
    instrument_id=index_id("NIFTY"),
    venue=Venue.NSE,
    kind=InstrumentKind.INDEX,
    segment="nse_cm",
    broker_symbol="Nifty 50",
    broker_token="Nifty 50",
    tick_size=Decimal("0.05"),
    lot_size=Decimal(1),
)


def request_for(**changes: object) -> OrderRequest:
    """Return a good stop order with some fields changed."""
    values: dict[str, object] = {
        "client_order_id": ClientOrderId("ob0123456789abcdef"),
        "instrument": OPTION,
        "side": Side.SELL,
        "order_type": OrderType.STOP_LIMIT,
        "time_in_force": TimeInForce.DAY,
        "quantity": Decimal(130),
        "price": Decimal("104.10"),
        "trigger_price": Decimal("104.5"),
    }
    return OrderRequest(**(values | changes))  # type: ignore[arg-type]  # a test's table of fields


def test_every_field_is_the_text_that_kotak_takes() -> None:
    assert place_fields(request_for()) == {
        "exchange_segment": "nse_fo",
        "product": "MIS",
        "transaction_type": "S",
        "trading_symbol": "NIFTY1910310850CE",
        "tag": "ob0123456789abcdef",
        "amo": "NO",
        "order_type": "SL",
        "validity": "DAY",
        "quantity": "130",
        "price": "104.10",
        "trigger_price": "104.5",
        "disclosed_quantity": "0",
    }


def test_a_limit_carries_zero_as_its_trigger() -> None:
    fields = place_fields(request_for(order_type=OrderType.LIMIT, trigger_price=None))

    assert (fields["order_type"], fields["trigger_price"]) == ("L", "0")


@pytest.mark.parametrize(
    "changes",
    [
        {"order_type": OrderType.MARKET, "price": None, "trigger_price": None},
        {"order_type": OrderType.STOP_MARKET, "price": None},
        {"price": None},
        {"trigger_price": None},
        {"order_type": OrderType.LIMIT},
        {"quantity": Decimal(100)},
        {"quantity": Decimal(0)},
        {"quantity": Decimal(-65)},
        {"quantity": Decimal("NaN")},
        {"quantity": Decimal(1820)},
        {"price": Decimal("104.12")},
        {"price": Decimal(0)},
        {"price": Decimal("Infinity")},
        {"trigger_price": Decimal("104.51")},
        {"instrument": INDEX},
        {"time_in_force": TimeInForce.GTC},
        {"time_in_force": TimeInForce.FOK},
        {"client_order_id": ClientOrderId("x" * 21)},
        {"client_order_id": ClientOrderId("")},
        {"client_order_id": ClientOrderId("a-b")},
        {"client_order_id": ClientOrderId("ob1\n")},
    ],
)
def test_refuses_what_breaks_a_rule_of_the_venue(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        place_fields(request_for(**changes))


@pytest.mark.parametrize("order_id", ["", "abc", "12 ", "1/2"])
def test_a_change_needs_the_number_of_an_order(order_id: str) -> None:
    change = OrderChange(
        broker_order_id=BrokerOrderId(order_id),
        instrument=OPTION,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=Decimal(65),
        price=Decimal("10.05"),
        trigger_price=None,
    )
    with pytest.raises(InvalidInputError):
        modify_fields(change)
