"""Check the laws of the comparison with the broker for any books."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.domain.ids import BrokerOrderId, ClientOrderId, OrderId
from app.domain.orders import OrderStatus
from app.domain.reconciliation import (
    Doubled,
    Foreign,
    Missing,
    OrderNews,
    OurOrder,
    Revived,
    compare_positions,
    reconcile,
)
from app.domain.reports import OrderReport, PositionReport
from tests.builders import report

SENT = [s for s in OrderStatus if s not in (OrderStatus.INITIALIZED, OrderStatus.DENIED)]


def _tag(number: int) -> str:
    return f"ob{number:016d}"


ours = st.lists(
    st.builds(
        lambda number, has_id, status, filled, version, unknown: OurOrder(
            order_id=OrderId(number),
            client_order_id=ClientOrderId(_tag(number)),
            broker_order_id=BrokerOrderId(f"B{number}") if has_id else None,
            status=status,
            filled_qty=Decimal(filled),
            venue_version=version,
            is_unknown=unknown,
        ),
        st.integers(0, 6),
        st.booleans(),
        st.sampled_from(OrderStatus),
        st.integers(0, 65),
        st.integers(0, 3),
        st.booleans(),
    ),
    unique_by=lambda order: order.order_id,
)
theirs = st.lists(
    st.builds(
        lambda number, tag, status, filled, version: report(
            f"B{number}", tag=tag, status=status, filled=filled, version=version
        ),
        st.integers(0, 9),
        st.one_of(st.integers(0, 9).map(_tag), st.just(""), st.integers(0, 6).map(lambda n: f"{_tag(n)}-1")),
        st.sampled_from(SENT),
        st.integers(0, 65),
        st.integers(0, 3),
    ),
    unique_by=lambda one: (one.broker_order_id, one.version),
)


@given(ours, theirs, st.booleans(), st.data())
def test_findings_do_not_depend_on_order(
    orders: list[OurOrder],
    reports: list[OrderReport],
    is_clean: bool,  # noqa: FBT001
    data: st.DataObject,
) -> None:
    shuffled = reconcile(
        data.draw(st.permutations(orders)), data.draw(st.permutations(reports)), is_clean=is_clean
    )

    assert shuffled == reconcile(orders, reports, is_clean=is_clean)


@given(ours)
def test_a_book_equals_itself(orders: list[OurOrder]) -> None:
    known = [
        OurOrder(
            order_id=order.order_id,
            client_order_id=order.client_order_id,
            broker_order_id=BrokerOrderId(f"B{order.order_id}"),
            status=order.status,
            filled_qty=order.filled_qty,
            venue_version=order.venue_version,
        )
        for order in orders
        if order.status in SENT
    ]
    same = [
        report(
            f"B{order.order_id}",
            status=order.status,
            filled=int(order.filled_qty),
            version=order.venue_version,
        )
        for order in known
    ]

    assert reconcile(known, same, is_clean=True) == ()


@given(ours, theirs, st.booleans())
def test_every_report_and_order_is_told_at_most_once_and_only_when_proven(
    orders: list[OurOrder],
    reports: list[OrderReport],
    is_clean: bool,  # noqa: FBT001
) -> None:
    findings = reconcile(orders, reports, is_clean=is_clean)

    news = [f.order_id for f in findings if isinstance(f, OrderNews)]
    missing = [f.order_id for f in findings if isinstance(f, Missing)]
    assert len(set(news)) == len(news)
    assert set(missing).isdisjoint(news)
    assert is_clean or missing == []
    told = {f.report.broker_order_id for f in findings if isinstance(f, Foreign)}
    known = {f.report.broker_order_id for f in findings if isinstance(f, OrderNews | Revived | Doubled)}
    own = {order.broker_order_id for order in orders}
    assert told.isdisjoint(own)
    assert known | told <= {one.broker_order_id for one in reports}


positions = st.dictionaries(st.sampled_from("ABCD"), st.integers(-3, 3).map(lambda n: Decimal(n * 65)))


@given(positions, positions)
def test_positions_agree_exactly_when_nothing_is_found(
    mine: dict[str, Decimal], venue: dict[str, Decimal]
) -> None:
    reports = [PositionReport(broker_symbol=symbol, net_qty=qty) for symbol, qty in venue.items()]

    diffs = compare_positions(mine, reports)

    assert {d.broker_symbol for d in diffs} == {
        symbol for symbol in "ABCD" if mine.get(symbol, 0) != venue.get(symbol, 0)
    }
