"""A read that shows less than what was seen before is never clean."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from app.domain.ids import BrokerOrderId, TradeId
from app.domain.orders import OrderStatus
from app.domain.reports import PositionReport
from brokers.binance import mapping
from brokers.binance.evidence import SeenToday
from tests.unit.binance.payloads import SPOT_ORDER, SPOT_TRADE, HandClock

FILLED = mapping.order_report(SPOT_ORDER)
RESTING = replace(FILLED, filled=Decimal(0), status=OrderStatus.ACCEPTED, version=1)
FILL = replace(
    mapping.fill_report(SPOT_TRADE), broker_order_id=FILLED.broker_order_id, quantity=FILLED.quantity
)


@pytest.fixture
def clock() -> HandClock:
    """A clock for the test to move."""
    return HandClock()


@pytest.fixture
def seen(clock: HandClock) -> SeenToday:
    """Nothing seen yet."""
    return SeenToday(clock)


def test_an_empty_book_is_clean_until_something_was_seen(seen: SeenToday) -> None:
    assert seen.judge_orders([])
    seen.note_placed(BrokerOrderId("BTCUSDT-1"))
    assert not seen.judge_orders([])


def test_a_book_that_lags_behind_the_stream_is_not_clean(seen: SeenToday) -> None:
    seen.note_order(FILLED)

    assert not seen.judge_orders([RESTING])
    assert seen.judge_orders([FILLED])


def test_news_that_comes_late_does_not_undo_what_is_known(seen: SeenToday) -> None:
    seen.note_order(FILLED)
    seen.note_order(RESTING)

    assert seen.working() == frozenset()


def test_what_was_placed_and_what_works_is_looked_for(seen: SeenToday) -> None:
    seen.note_placed(BrokerOrderId("BTCUSDT-1"))
    seen.note_order(RESTING)

    assert seen.working() == {BrokerOrderId("BTCUSDT-1"), RESTING.broker_order_id}


def test_one_order_is_judged_by_what_is_known_of_it(seen: SeenToday) -> None:
    assert seen.judge_order(FILLED.broker_order_id, None)
    seen.note_order(FILLED)
    assert not seen.judge_order(FILLED.broker_order_id, None)
    assert not seen.judge_order(FILLED.broker_order_id, RESTING)
    assert seen.judge_order(FILLED.broker_order_id, FILLED)


def test_trades_must_cover_every_filled_unit_and_never_vanish(seen: SeenToday) -> None:
    assert seen.judge_fills([])
    seen.note_order(FILLED)
    assert not seen.judge_fills([])
    assert seen.judge_fills([FILL])
    assert not seen.judge_fills([])
    assert not seen.judge_fills([replace(FILL, trade_id=TradeId("another"))])


def test_positions_must_show_what_was_filled_in_the_last_moments(seen: SeenToday, clock: HandClock) -> None:
    assert seen.judge_positions([])
    seen.note_order(FILLED)
    assert not seen.judge_positions([])
    assert seen.judge_positions([PositionReport(broker_symbol="BTCUSDT", net_qty=Decimal(1))])
    clock.seconds += 60
    assert seen.judge_positions([])


def test_a_closed_position_may_be_left_out_at_once(seen: SeenToday) -> None:
    seen.note_order(FILLED)
    seen.note_order(replace(FILLED, broker_order_id=BrokerOrderId("BTCUSDT-2"), side=FILLED.side.opposite))

    assert seen.judge_positions([])


def test_a_new_day_forgets_what_ended_and_keeps_what_works(seen: SeenToday, clock: HandClock) -> None:
    seen.note_order(FILLED)
    seen.note_order(replace(RESTING, broker_order_id=BrokerOrderId("BTCUSDT-2")))
    clock.at += timedelta(days=1)

    assert seen.working() == {BrokerOrderId("BTCUSDT-2")}
    assert not seen.judge_orders([])
    assert seen.judge_fills([])
