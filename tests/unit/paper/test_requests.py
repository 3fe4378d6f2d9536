"""What breaks a rule of form never leaves; a value that is not understood never becomes a report."""

from dataclasses import replace
from decimal import Decimal

import pytest

from app.domain.errors import InvalidInputError, ProtocolError
from app.domain.ids import ClientOrderId, InstrumentId
from app.domain.instruments import Instrument, InstrumentKind, Venue
from app.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from app.domain.ports import OrderRequest
from brokers.paper import mapping
from brokers.paper.requests import place_form
from tests.unit.paper.test_classification import ORDER

EURUSD = Instrument(
    instrument_id=InstrumentId("EURUSD.MT5"),
    venue=Venue.MT5,
    kind=InstrumentKind.FOREX,
    segment="forex",
    broker_symbol="EURUSD",
    broker_token="EURUSD",
    tick_size=Decimal("0.00001"),
    lot_size=Decimal(1000),
    freeze_qty=Decimal(50_000),
    currency="USD",
)
REQUEST = OrderRequest(
    client_order_id=ClientOrderId("ob1"),
    instrument=EURUSD,
    side=Side.SELL,
    order_type=OrderType.STOP_LIMIT,
    time_in_force=TimeInForce.GTC,
    quantity=Decimal(2000),
    price=Decimal("1.10000"),
    trigger_price=Decimal("1.10010"),
    reduces_only=True,
)


def test_an_order_becomes_a_form_of_texts() -> None:
    assert place_form(REQUEST) == {
        "client_order_id": "ob1",
        "instrument": {
            "id": "EURUSD.MT5",
            "symbol": "EURUSD",
            "venue": "MT5",
            "kind": "FOREX",
            "tick_size": "0.00001",
            "lot_size": "1000",
            "currency": "USD",
        },
        "side": "SELL",
        "reduces_only": True,
        "type": "STOP_LIMIT",
        "time_in_force": "GTC",
        "quantity": "2000",
        "price": "1.10000",
        "trigger_price": "1.10010",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": Decimal(1500)},
        {"quantity": Decimal(0)},
        {"quantity": Decimal(51_000)},
        {"quantity": Decimal("NaN")},
        {"price": Decimal("1.100001")},
        {"price": None},
        {"trigger_price": None},
        {"trigger_price": Decimal(-1)},
        {"order_type": OrderType.LIMIT},
        {"order_type": OrderType.MARKET},
        {"client_order_id": ClientOrderId("")},
        {"client_order_id": ClientOrderId("a b")},
        {"position_ref": "12"},
        {"instrument": replace(EURUSD, kind=InstrumentKind.INDEX)},
    ],
)
def test_a_broken_rule_raises_before_anything_is_sent(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        place_form(replace(REQUEST, **changes))  # type: ignore[arg-type]  # a test's table of fields


def test_a_row_becomes_a_report() -> None:
    report = mapping.order_report(ORDER)

    assert (report.tag, report.status, report.version) == ("ob1", OrderStatus.ACCEPTED, 3)
    assert (report.quantity, report.price, report.avg_px) == (Decimal("0.002"), Decimal(60_000), None)
    assert report.updated_at.utcoffset() is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "DONE"},
        {"side": "B"},
        {"quantity": 2},
        {"quantity": "0"},
        {"filled": "-1"},
        {"filled": "inf"},
        {"price": 60000.0},
        {"version": "3"},
        {"version": True},
        {"updated_at": "2026-11-25T04:00:00"},
        {"updated_at": "today"},
        {"symbol": None},
        {"reason": None},
    ],
)
def test_a_value_that_is_not_understood_raises(changes: dict[str, object]) -> None:
    with pytest.raises(ProtocolError):
        mapping.order_report({**ORDER, **changes})
