"""Each look for an UNKNOWN order is kept, and a person's word stands only where it may (I3)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from app.db.controls import request_exits
from app.db.models import AlarmRow, AuditRow, ExternalFillRow, OrderEvidenceRow, OrderRow
from app.db.scope import DataScope
from app.domain.errors import ConflictError, EvidenceAgainstError, ForbiddenError, NotFoundError
from app.domain.ids import AccountId, BrokerOrderId, ClientOrderId, InstrumentId, OrderId
from app.domain.orders import OrderRole, OrderStatus, OrderType, Side, TimeInForce
from app.domain.ports import OrderRequest
from app.domain.unknown_orders import Fate, Settlement
from app.domain.users import Actor, Role
from app.infra.names import RunKind
from app.services.risk_control import Moment
from app.services.unknown_orders import Settled, UnknownCase, list_unknown, settle_unknown
from tests.integration.order_path.desk import TODAY, Desk

pytestmark = pytest.mark.integration

OPS = Actor(name="meera", role=Role.OPS, origin="test")
EVERYBODY = DataScope(user_id=None)
NOT_PLACED = Settlement(fate=Fate.NOT_PLACED, reason="the dealer sees nothing of it")
CONFIRMED = replace(NOT_PLACED, is_confirmed=True)


def lose(desk: Desk) -> OrderRow:
    """Leave one entry as a lane leaves it that died between its commit and the network call."""
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
    with desk.database.begin() as session:
        first, second = session.scalars(select(OrderRow).order_by(OrderRow.id)).all()
        first.status, first.submitted_wall = OrderStatus.SUBMITTED, desk.clock.wall() - timedelta(seconds=10)
        second.status = OrderStatus.CANCELED
    return first


def send_without_answers(desk: Desk, *, prices_times: Decimal = Decimal(1)) -> Sequence[OrderRow]:
    """Send two entries that the broker takes and nobody hears of."""
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
    with desk.database.begin() as session:
        for order in session.scalars(select(OrderRow)):
            assert order.price is not None
            order.price = (order.price * prices_times).quantize(Decimal(1))
    desk.broker.post(
        "faults", {"faults": [{"rate": 1.0, "kind": "ack_lost", "endpoint": "place", "count": 2}]}
    )
    with desk.running(RunKind.ENTRIES):
        desk.wait_for(lambda: desk.count_orders(is_unknown=True) == 2)
    return desk.orders()


def evidence(desk: Desk, source: str) -> Sequence[OrderEvidenceRow]:
    with desk.database.begin() as session:
        statement = select(OrderEvidenceRow).filter_by(source=source).order_by(OrderEvidenceRow.id)
        return session.scalars(statement).all()


def unknown(desk: Desk) -> list[UnknownCase]:
    with desk.database.begin() as session:
        return list_unknown(session, EVERYBODY, wall=desk.clock.wall())


def settle(desk: Desk, order: OrderRow, settlement: Settlement, actor: Actor = OPS) -> Settled:
    moment = Moment(day=TODAY, now=desk.clock.now(), wall=desk.clock.wall())
    with desk.database.begin() as session:
        return settle_unknown(session, actor, OrderId(order.id), settlement, moment=moment)


def acts(desk: Desk) -> Sequence[AuditRow]:
    with desk.database.begin() as session:
        return session.scalars(
            select(AuditRow).filter_by(action="resolve_unknown").order_by(AuditRow.id)
        ).all()


def is_alarming(desk: Desk, code: str) -> bool:
    with desk.database.begin() as session:
        statement = select(AlarmRow).where(AlarmRow.code == code, AlarmRow.cleared_at.is_(None))
        return session.scalars(statement).first() is not None


def patient(desk: Desk) -> dict[str, object]:
    """Settings that let nothing be proven absent while a test lasts."""
    return {"settings": desk.parts.settings.model_copy(update={"not_placed_after_s": 600.0})}


def read_books(desk: Desk) -> int:
    """How often the broker was asked for its orders."""
    seen = desk.broker.get("requests")
    return sum(request["path"].endswith("/orders") for request in seen)


def place_by_hand(desk: Desk, order: OrderRow) -> BrokerOrderId:
    """Place the same order at the broker, as a person does in its own program: without our tag."""
    request = OrderRequest(
        client_order_id=ClientOrderId("byhand"),
        instrument=desk.parts.contracts.get(TODAY, InstrumentId(order.instrument_id)),
        side=Side(order.side),
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=order.quantity,
        price=order.price,
        trigger_price=None,
    )
    result = desk.parts.gateways.get(AccountId(order.account_id)).submit_order(request, timeout_s=10)
    assert result.broker_order_id is not None
    return result.broker_order_id


def test_equal_looks_are_one_entry_and_prove_nothing_before_the_deadline(desk: Desk) -> None:
    order = lose(desk)

    with desk.running(RunKind.BOOKS, **patient(desk)):  # type: ignore[arg-type]  # one keyword
        desk.wait_for(lambda: any(row.looks >= 3 for row in evidence(desk, "TAG")))

    [tag] = evidence(desk, "TAG")
    assert (tag.is_clean, tag.is_proof) == (True, False)
    assert order.submitted_wall is not None
    assert tag.provable_from == order.submitted_wall + timedelta(seconds=600)
    assert tag.last_wall > tag.first_wall
    assert len(evidence(desk, "ORDERS")) == len(evidence(desk, "TRADES")) == 1
    [case] = unknown(desk)
    assert "its absence counts as proof in" in case.next_step
    assert (case.order.clean_misses, case.at_stake) == (0, order.quantity * (order.price or 0))


def test_the_two_reads_that_prove_absence_are_evidence(desk: Desk) -> None:
    lose(desk)

    with desk.running(RunKind.BOOKS):
        desk.wait_for(lambda: desk.count_orders(status=OrderStatus.REJECTED) == 1)

    assert [(row.is_proof, row.looks) for row in evidence(desk, "TAG")] == [(True, 2)]


def test_a_book_that_cannot_be_read_is_evidence_that_proves_nothing(desk: Desk) -> None:
    lose(desk)
    desk.fault(kind="outage", endpoint="reports")

    with desk.running(RunKind.BOOKS):
        desk.wait_for(lambda: evidence(desk, "TAG"))

    [tag] = evidence(desk, "TAG")
    assert (tag.is_clean, "could not be read" in tag.seen) == (False, True)
    assert "clean read" in unknown(desk)[0].next_step


def test_todays_book_proves_nothing_about_yesterdays_order(desk: Desk) -> None:
    order = lose(desk)
    with desk.database.begin() as session:
        session.get_one(OrderRow, order.id).day = TODAY - timedelta(days=1)
    settings = desk.parts.settings.model_copy(update={"not_placed_after_s": 1.0, "reconcile_period_s": 0.5})

    with desk.running(RunKind.BOOKS, settings=settings):
        desk.wait_for(lambda: desk.count_orders(is_unknown=True) == 1)
        looks = read_books(desk)
        desk.wait_for(lambda: read_books(desk) >= looks + 4)

    [yesterdays] = unknown(desk)
    assert (yesterdays.order.status, yesterdays.order.clean_misses) == (OrderStatus.SUBMITTED, 0)
    assert evidence(desk, "TAG") == []


def test_an_order_that_the_books_find_says_so(desk: Desk) -> None:
    orders = send_without_answers(desk)

    with desk.running(RunKind.BOOKS):
        desk.wait_for(lambda: desk.count_orders(is_unknown=True) == 0)

    found = {row.order_id: row.broker_order_ids for row in evidence(desk, "TAG") if row.broker_order_ids}
    assert found == {order.id: [order.broker_order_id] for order in desk.orders()}
    assert set(found) == {order.id for order in orders}


def test_not_placed_without_a_clean_read_needs_a_second_confirmation(desk: Desk) -> None:
    order = lose(desk)
    with desk.database.begin() as session:
        session.get_one(OrderRow, order.id).is_unknown = True

    with pytest.raises(EvidenceAgainstError, match="no clean read"):
        settle(desk, order, NOT_PLACED)
    assert settle(desk, order, CONFIRMED) == Settled(status=OrderStatus.REJECTED, is_news=True)
    assert settle(desk, order, NOT_PLACED) == Settled(status=OrderStatus.REJECTED, is_news=False)

    ended = desk.orders(id=order.id)[0]
    assert (ended.is_unknown, ended.reject_reason) == (
        False,
        "not placed: meera says so: the dealer sees nothing of it",
    )
    first, second = acts(desk)
    assert (first.actor, first.origin, first.reason) == ("meera", "test", "the dealer sees nothing of it")
    assert "no clean read" in first.details["overruled"]
    assert (first.details["is_news"], second.details["is_news"]) == (True, False)


def test_an_order_that_was_given_up_by_a_person_is_withdrawn_when_it_appears(desk: Desk) -> None:
    orders = send_without_answers(desk, prices_times=Decimal("1.1"))
    for order in orders:
        settle(desk, order, CONFIRMED)

    with desk.running(RunKind.BOOKS):
        desk.wait_for(lambda: desk.count_orders(status=OrderStatus.CANCELED) == 2)

    assert is_alarming(desk, "order_revived")
    assert {order["status"] for order in desk.broker.get("orders")} == {"cancelled"}


def test_a_person_binds_an_order_that_lost_its_tag_and_the_books_go_on(desk: Desk) -> None:
    order = lose(desk)
    number = place_by_hand(desk, order)
    placed = Settlement(fate=Fate.PLACED, reason=NOT_PLACED.reason, broker_order_id=number)
    with desk.running(RunKind.BOOKS, **patient(desk)):  # type: ignore[arg-type]  # one keyword
        desk.wait_for(lambda: any(row.broker_order_ids for row in evidence(desk, "ORDERS")))
        desk.wait_for(lambda: is_alarming(desk, "external_order"))
        with pytest.raises(EvidenceAgainstError, match=f"the books show {number}"):
            settle(desk, order, NOT_PLACED)
        with pytest.raises(EvidenceAgainstError, match="no order 77"):
            settle(desk, order, replace(placed, broker_order_id=BrokerOrderId("77")))

        assert settle(desk, order, placed).is_news
        assert not settle(desk, order, placed).is_news
        desk.wait_for(lambda: desk.orders(id=order.id)[0].status == OrderStatus.FILLED)

    assert desk.orders(id=order.id)[0].broker_order_id == number
    assert not is_alarming(desk, "external_order")


def test_a_word_is_refused_that_contradicts_what_is_known(desk: Desk) -> None:
    first, second = send_without_answers(desk)
    trader = Actor(name="user-1", role=Role.TRADER, origin="test", user_id=None)
    placed = replace(CONFIRMED, fate=Fate.PLACED, broker_order_id=BrokerOrderId("77"))
    with pytest.raises(ForbiddenError):
        settle(desk, first, CONFIRMED, trader)
    settle(desk, first, placed)

    with pytest.raises(ConflictError, match=f"broker order 77 is order:{first.id} of ours already"):
        settle(desk, second, placed)
    with pytest.raises(ConflictError, match="is ACCEPTED"):
        settle(desk, first, CONFIRMED)
    with desk.database.begin() as session:
        session.add(_strangers_fill(second, number="88"))
    with pytest.raises(ConflictError, match="broker order 88 is booked as a stranger's"):
        settle(desk, second, replace(placed, broker_order_id=BrokerOrderId("88")))
    second.id = 4711
    with pytest.raises(NotFoundError):
        settle(desk, second, CONFIRMED)

    assert len(acts(desk)) == 1


def _strangers_fill(order: OrderRow, *, number: str) -> ExternalFillRow:
    return ExternalFillRow(
        account_id=order.account_id,
        broker_order_id=number,
        cumulative_qty=order.quantity,
        user_id=order.user_id,
        day=order.day,
        broker_symbol="NIFTY",
        side=order.side,
        quantity=order.quantity,
        price=Decimal(40),
        ts_init=order.ts_init,
    )


def test_exits_go_on_beside_an_unknown_entry(desk: Desk) -> None:
    desk.broker.post(
        "faults", {"faults": [{"rate": 1.0, "kind": "request_lost", "endpoint": "place", "count": 1}]}
    )
    with desk.running(RunKind.ENTRIES, RunKind.EXITS), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
        desk.wait_for(lambda: desk.count_orders(is_unknown=True) == 1)
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 1)

        with desk.database.begin() as session:
            request_exits(session, where={}, day=TODAY, reason="square_off", wall=desk.clock.wall())
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))

    assert desk.count_orders(is_unknown=True) == 1
