"""A read that shows less than what was seen before is never clean."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from app.domain.ids import BrokerOrderId, TradeId
from app.domain.reports import PositionReport
from brokers.kotak_neo import mapping
from brokers.kotak_neo.evidence import SeenToday
from tests.unit.kotak_neo.payloads import ORDER_ROW, TRADE_ROW

ORDER = mapping.order_report(ORDER_ROW)
FILLED = replace(ORDER, filled=Decimal(1))
FILL = mapping.fill_report(TRADE_ROW)


class HandClock:
    """Stand still until moved by hand."""

    def __init__(self) -> None:
        self.at = datetime(2025, 1, 22, 5, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0

    def wall(self) -> datetime:
        return self.at


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
    seen.note_placed(BrokerOrderId("1"))
    assert not seen.judge_orders([])


def test_a_book_that_lags_behind_the_stream_is_not_clean(seen: SeenToday) -> None:
    seen.note_order(FILLED)

    assert not seen.judge_orders([ORDER])
    assert seen.judge_orders([FILLED])


def test_a_book_that_loses_an_order_is_not_clean(seen: SeenToday) -> None:
    assert seen.judge_orders([ORDER])
    assert not seen.judge_orders([replace(ORDER, broker_order_id=BrokerOrderId("2"))])


def test_one_order_is_judged_by_what_is_known_of_it(seen: SeenToday) -> None:
    assert seen.judge_order(ORDER.broker_order_id, None)
    seen.note_order(FILLED)
    assert not seen.judge_order(ORDER.broker_order_id, None)
    assert not seen.judge_order(ORDER.broker_order_id, ORDER)
    assert seen.judge_order(ORDER.broker_order_id, FILLED)


def test_trades_must_cover_every_filled_unit(seen: SeenToday) -> None:
    assert seen.judge_fills([])
    seen.note_order(FILLED)
    assert not seen.judge_fills([])
    assert seen.judge_fills([FILL])


def test_trades_that_vanish_are_not_clean(seen: SeenToday) -> None:
    assert seen.judge_fills([FILL])
    assert not seen.judge_fills([])
    assert not seen.judge_orders([ORDER])


def test_a_trade_that_turns_into_another_is_not_clean(seen: SeenToday) -> None:
    assert seen.judge_fills([FILL])
    assert not seen.judge_fills([replace(FILL, trade_id=TradeId("another"))])


def test_positions_must_show_every_symbol_that_was_filled(seen: SeenToday) -> None:
    assert seen.judge_positions([])
    seen.note_order(FILLED)
    assert not seen.judge_positions([])
    assert not seen.judge_positions([PositionReport(broker_symbol="OTHER", net_qty=Decimal(1))])
    assert seen.judge_positions([PositionReport(broker_symbol=ORDER.broker_symbol, net_qty=Decimal(0))])


def test_a_new_day_begins_with_nothing_seen(seen: SeenToday, clock: HandClock) -> None:
    seen.note_order(FILLED)
    clock.at += timedelta(days=1)

    assert seen.judge_orders([])
    assert seen.judge_fills([])
    assert seen.judge_positions([])
