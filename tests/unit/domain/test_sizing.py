"""Check how wishes become orders."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from app.domain.errors import InvalidInputError, NotFoundError
from app.domain.ids import InstrumentId, client_order_id
from app.domain.orders import OrderIntent, OrderRole, OrderType, Side, TimeInForce
from app.domain.signals import Signal
from app.domain.sizing import intents_for, sliced
from tests.builders import (
    CALL,
    DEPLOYMENT_ID,
    FOREX,
    KEY,
    NOW,
    PERPETUAL,
    PUT,
    Market,
    deployment,
    enter,
    index,
    leave,
    market,
    option,
    signal_leg,
    tick,
)

UNTIL = NOW + timedelta(seconds=5)


def intents(signal: Signal) -> list[OrderIntent]:
    return list(intents_for(signal, deployment(), market=market(), valid_until=UNTIL))


def test_an_entry_is_a_protected_marketable_day_limit() -> None:
    call, put = intents(enter())

    assert (call.instrument_id, call.side, call.quantity, call.price) == (
        CALL.instrument_id,
        Side.SELL,
        Decimal(65),
        Decimal(98),
    )
    assert (put.instrument_id, put.price) == (PUT.instrument_id, Decimal("92.15"))
    assert (call.role, call.order_type, call.time_in_force, call.trigger_price) == (
        OrderRole.ENTRY,
        OrderType.LIMIT,
        TimeInForce.DAY,
        None,
    )
    assert call.valid_until == UNTIL
    assert call.protection == signal_leg().protection


def test_slices_by_the_freeze_quantity_with_an_id_each() -> None:
    parts = intents(enter(signal_leg(lots=60)))

    assert [part.quantity for part in parts] == [1755, 1755, 390]
    assert [part.part for part in parts] == [0, 1, 2]
    assert [part.client_order_id for part in parts] == [
        client_order_id(DEPLOYMENT_ID, KEY, leg=0, attempt=0, part=n) for n in range(3)
    ]


def test_hedge_legs_come_first_and_keep_their_number() -> None:
    hedge = signal_leg(PUT, side=Side.BUY, is_hedge=True)

    orders = intents(enter(signal_leg(), hedge))

    assert [(order.leg, order.side, order.is_hedge) for order in orders] == [
        (1, Side.BUY, True),
        (0, Side.SELL, False),
    ]


def test_prices_from_the_reference_while_there_is_no_tick() -> None:
    orders = intents_for(enter(), deployment(), market=market(tick("120")), valid_until=UNTIL)

    assert [order.price for order in orders] == [Decimal("117.6"), Decimal(98)]


def test_refuses_exits_no_lots_unknown_instruments_and_indices() -> None:
    with pytest.raises(InvalidInputError, match="expected ENTER, got EXIT"):
        intents(leave())
    with pytest.raises(InvalidInputError, match="expected at least one lot, got 0"):
        intents(enter(signal_leg(lots=0)))
    with pytest.raises(NotFoundError, match="got nowhere"):
        intents(enter(replace(signal_leg(), instrument_id=InstrumentId("nowhere"))))
    with pytest.raises(InvalidInputError, match="got an index"):
        intents(enter(signal_leg(index())))


@pytest.mark.parametrize(
    ("quantity", "slices"),
    [(65, [65]), (1755, [1755]), (1820, [1755, 65]), (3510, [1755, 1755])],
)
def test_slices_are_whole_lots_below_the_freeze(quantity: int, slices: list[int]) -> None:
    assert list(sliced(Decimal(quantity), option())) == slices


def test_does_not_slice_without_a_freeze_quantity() -> None:
    assert sliced(Decimal(65000), replace(option(), freeze_qty=Decimal(0))) == (Decimal(65000),)


@pytest.mark.parametrize("quantity", [0, -65, 64])
def test_slices_positive_whole_lots_only(quantity: int) -> None:
    with pytest.raises(InvalidInputError):
        sliced(Decimal(quantity), option())


def test_coins_rest_until_canceled_and_forex_trades_at_market() -> None:
    both = Market(
        {i.instrument_id: i for i in (PERPETUAL, FOREX)},
        {i.instrument_id: tick("100", instrument=i) for i in (PERPETUAL, FOREX)},
    )
    wish = enter(signal_leg(PERPETUAL), signal_leg(FOREX))
    coin, currency = intents_for(wish, deployment(), market=both, valid_until=UNTIL)

    assert (coin.order_type, coin.time_in_force, coin.price) == (
        OrderType.LIMIT,
        TimeInForce.GTC,
        Decimal("99.8"),
    )
    assert (currency.order_type, currency.time_in_force, currency.price) == (
        OrderType.MARKET,
        TimeInForce.GTC,
        None,
    )
    assert currency.quantity == FOREX.lot_size
