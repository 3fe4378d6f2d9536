"""Check what the comparison with the broker finds."""

from datetime import timedelta
from decimal import Decimal

import pytest

from app.domain.ids import BrokerOrderId, ClientOrderId, OrderId
from app.domain.orders import OrderStatus
from app.domain.reconciliation import (
    Doubled,
    Foreign,
    Missing,
    OrderNews,
    OurOrder,
    PositionDiff,
    Resolution,
    Revived,
    compare_positions,
    count_miss,
    reconcile,
    resolve_unknown,
)
from app.domain.reports import PositionReport
from tests.builders import report

TAG = "ob0123456789abcdef"
S = OrderStatus


def order(
    *,
    broker_order_id: str | None = "B1",
    status: OrderStatus = S.ACCEPTED,
    filled: int = 0,
    version: int = 1,
    is_unknown: bool = False,
) -> OurOrder:
    return OurOrder(
        order_id=OrderId(1),
        client_order_id=ClientOrderId(TAG),
        broker_order_id=None if broker_order_id is None else BrokerOrderId(broker_order_id),
        status=status,
        filled_qty=Decimal(filled),
        venue_version=version,
        is_unknown=is_unknown,
    )


def test_equal_books_have_no_findings() -> None:
    assert reconcile([order()], [report()], is_clean=True) == ()


def test_an_order_is_known_by_its_id_without_a_tag_and_by_its_tag_without_an_id() -> None:
    news = report(status=S.CANCELED, version=2)
    tagged = report(tag=f"{TAG}-C", status=S.ACCEPTED)

    assert reconcile([order()], [news], is_clean=True) == (OrderNews(order_id=OrderId(1), report=news),)
    assert reconcile([order(broker_order_id=None)], [tagged], is_clean=True) == (
        OrderNews(order_id=OrderId(1), report=tagged),
    )


def test_an_unknown_order_that_is_found_is_news_though_nothing_changed() -> None:
    found = report(tag=TAG, version=0)
    ours = order(status=S.SUBMITTED, version=0, is_unknown=True)

    assert reconcile([ours], [found], is_clean=False) == (OrderNews(order_id=OrderId(1), report=found),)


@pytest.mark.parametrize(
    ("ours", "theirs", "is_news"),
    [
        (order(version=2), report(status=S.SUBMITTED, version=1), False),
        (order(), report(status=S.TRIGGERED), True),
        (order(), report(version=2), True),
        (order(version=5), report(filled=65, status=S.FILLED, version=4), True),
        (order(status=S.PENDING_CANCEL), report(), False),
        (order(status=S.PENDING_UPDATE), report(), False),
        (order(status=S.PENDING_CANCEL), report(status=S.CANCELED), True),
    ],
    ids=[
        "older version",
        "status changed at the same version",
        "newer version",
        "a fill is always news",
        "our cancel is not in the book yet",
        "our change is not in the book yet",
        "our cancel is done",
    ],
)
def test_what_counts_as_news(ours: OurOrder, theirs: object, is_news: bool) -> None:  # noqa: FBT001
    findings = reconcile([ours], [theirs], is_clean=True)  # type: ignore[list-item]  # parametrized

    assert [type(finding) for finding in findings] == ([OrderNews] if is_news else [])


def test_a_sent_order_is_missing_only_from_a_clean_book() -> None:
    sent = order(status=S.SUBMITTED, broker_order_id=None)

    assert reconcile([sent], [], is_clean=True) == (Missing(order_id=OrderId(1)),)
    assert reconcile([sent], [], is_clean=False) == ()


@pytest.mark.parametrize("status", [S.INITIALIZED, S.DENIED, S.REJECTED, S.FILLED])
def test_orders_that_were_not_sent_or_ended_are_never_missing(status: OrderStatus) -> None:
    assert reconcile([order(status=status)], [], is_clean=True) == ()


def test_orders_of_others_are_foreign() -> None:
    theirs = [report("Z2", tag="mobile"), report("Z1")]

    assert reconcile([order()], [report(), *theirs], is_clean=True) == (
        Foreign(report=theirs[1]),
        Foreign(report=theirs[0]),
    )


def test_an_order_that_appears_after_we_gave_it_up_is_revived() -> None:
    ours = order(status=S.REJECTED, broker_order_id=None, version=0)
    late = report(tag=TAG, version=9)
    late_and_filled = report(tag=TAG, status=S.PARTIALLY_FILLED, filled=10, version=10)

    assert reconcile([ours], [late], is_clean=True) == (Revived(order_id=OrderId(1), report=late),)
    assert reconcile([ours], [late_and_filled], is_clean=True) == (
        OrderNews(order_id=OrderId(1), report=late_and_filled),
        Revived(order_id=OrderId(1), report=late_and_filled),
    )


def test_a_late_book_does_not_revive_an_ended_order() -> None:
    assert reconcile([order(status=S.CANCELED, version=3)], [report(version=2)], is_clean=True) == ()


def test_two_orders_under_one_client_id_are_doubled() -> None:
    first, second = report("B1", tag=TAG), report("B0", tag=TAG)

    assert reconcile([order()], [second, first], is_clean=True) == (
        Doubled(order_id=OrderId(1), report=second),
    )
    assert reconcile([order(broker_order_id=None)], [first, second], is_clean=True) == (
        OrderNews(order_id=OrderId(1), report=second),
        Doubled(order_id=OrderId(1), report=first),
    )


def test_of_two_reports_of_one_order_the_later_counts() -> None:
    old, new = report(version=2), report(status=S.CANCELED, version=3)

    assert reconcile([order()], [new, old], is_clean=True) == (OrderNews(order_id=OrderId(1), report=new),)


def test_positions_differ_by_symbol_and_sum() -> None:
    theirs = [
        PositionReport(broker_symbol="A", net_qty=Decimal(-65)),
        PositionReport(broker_symbol="B", net_qty=Decimal(65)),
        PositionReport(broker_symbol="B", net_qty=Decimal(-65)),
        PositionReport(broker_symbol="D", net_qty=Decimal(1)),
    ]

    assert compare_positions({"A": Decimal(-65), "B": Decimal(0), "C": Decimal(5)}, theirs) == (
        PositionDiff(broker_symbol="C", ours=Decimal(5), theirs=Decimal(0)),
        PositionDiff(broker_symbol="D", ours=Decimal(0), theirs=Decimal(1)),
    )


def test_a_miss_counts_from_the_deadline_on() -> None:
    deadline = timedelta(seconds=15)

    assert count_miss(0, sent_ago=timedelta(seconds=14.999), not_placed_after=deadline) == 0
    assert count_miss(0, sent_ago=deadline, not_placed_after=deadline) == 1


@pytest.mark.parametrize(
    ("is_found", "misses", "expected"),
    [
        (True, 9, Resolution.FOUND),
        (False, 0, Resolution.WAIT),
        (False, 1, Resolution.WAIT),
        (False, 2, Resolution.NOT_PLACED),
    ],
)
def test_two_late_clean_misses_prove_absence(
    is_found: bool,  # noqa: FBT001
    misses: int,
    expected: Resolution,
) -> None:
    assert resolve_unknown(is_found=is_found, clean_misses=misses) is expected
