"""A read that shows less than is known proves nothing."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from app.domain.ids import BrokerOrderId
from app.domain.orders import OrderStatus, Side
from app.domain.reports import OrderReport
from brokers.paper.evidence import SeenOrders
from tests.unit.paper.books import START

REPORT = OrderReport(
    broker_order_id=BrokerOrderId("000000000000001"),
    tag="a",
    broker_symbol="BTCUSDT",
    side=Side.BUY,
    quantity=Decimal(2),
    filled=Decimal(1),
    avg_px=Decimal(10),
    price=None,
    trigger_price=None,
    status=OrderStatus.PARTIALLY_FILLED,
    reject_reason="",
    version=5,
    updated_at=START,
)


def body(sequence: int, since: str = "2026-11-24T00:00:00+00:00") -> dict[str, object]:
    return {"sequence": sequence, "since": since}


def test_a_book_that_goes_less_far_is_not_clean() -> None:
    seen = SeenOrders()
    seen.note(REPORT)

    assert not seen.judge(body(4))
    assert seen.judge(body(5))
    assert seen.judge(body(9))
    assert not seen.judge(body(8))


def test_a_book_without_a_known_order_is_not_clean() -> None:
    seen = SeenOrders()
    seen.note(REPORT)

    assert not seen.judge_orders(body(9), [])
    assert not seen.judge_orders(body(9), [replace(REPORT, version=4)])
    assert seen.judge_orders(body(9), [REPORT])


def test_an_order_that_ended_before_the_book_begins_is_not_missed() -> None:
    seen = SeenOrders()
    seen.note(replace(REPORT, status=OrderStatus.CANCELED))
    later = (START + timedelta(seconds=1)).isoformat()

    assert seen.judge_orders(body(9, later), [])
    assert seen.filled(START) == frozenset()


def test_a_working_order_is_missed_however_old_it_is() -> None:
    seen = SeenOrders()
    seen.note(REPORT)
    later = (START + timedelta(days=30)).isoformat()

    assert not seen.judge_orders(body(9, later), [])
    assert seen.filled(START + timedelta(days=30)) == {REPORT.broker_order_id}


def test_a_known_order_that_is_not_found_is_not_clean() -> None:
    seen = SeenOrders()
    assert seen.judge_order(REPORT.broker_order_id, None)
    seen.note(REPORT)

    assert not seen.judge_order(REPORT.broker_order_id, None)
    assert not seen.judge_order(REPORT.broker_order_id, replace(REPORT, version=4))
    assert seen.judge_order(REPORT.broker_order_id, replace(REPORT, version=6))
