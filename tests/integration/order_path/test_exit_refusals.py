"""Prove that a leg whose exit was refused soon has another, and that a venue is not flooded by them."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from app.db.exits import LegWork, Refusals, _refusals
from app.db.models import LegRow, OrderRow
from app.domain.orders import OrderRole, OrderStatus
from app.domain.positions import Leg
from app.infra.names import RunKind
from tests.integration.order_path.desk import TODAY, Desk

EARLIER_EXITS = 4


@pytest.fixture
def bare(desk: Desk) -> Desk:
    """A filled straddle without its stops; the legs had other positions before, each with its exits."""
    with desk.running(RunKind.ENTRIES, RunKind.BOOKS), desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle("entry"), loop, desk.deployments[:1])
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.ENTRY, status=OrderStatus.FILLED) == 2)
    with desk.database.begin() as session:
        session.execute(update(LegRow).values(exit_attempts=EARLIER_EXITS))
    return desk


def _waited(desk: Desk) -> timedelta:
    """How long after the end of the first stop the next one of its leg was sent."""
    stops = desk.orders(role=OrderRole.STOP)
    ended = next(o for o in stops if o.status == OrderStatus.REJECTED)
    after = next(o for o in stops if o.id > ended.id and o.instrument_id == ended.instrument_id)
    assert ended.ended_wall is not None
    assert after.submitted_wall is not None
    return after.submitted_wall - ended.ended_wall


@pytest.mark.parametrize("kind", ["algo_refused", "request_lost"])
def test_a_first_refusal_is_answered_at_once_whatever_the_leg_did_before(bare: Desk, kind: str) -> None:
    bare.broker.post("faults", {"faults": [{"rate": 1.0, "kind": kind, "endpoint": "place", "count": 1}]})

    with bare.running(RunKind.EXITS, RunKind.BOOKS):
        bare.wait_for(lambda: bare.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 2)

    assert _waited(bare) < timedelta(seconds=3), "I5 allows no more for all of it"


def test_refusals_in_a_row_wait_longer_and_longer() -> None:
    last = datetime(2026, 1, 5, 9, 20, tzinfo=UTC)

    def waits_after(count: int, seconds: float) -> bool:
        work = LegWork(LegRow(day=TODAY), 0, Leg(), None, Refusals(count, last))
        return work.is_backing_off(last + timedelta(seconds=seconds))

    assert not waits_after(1, 0.1)
    assert [waits_after(count, 1.5) for count in range(2, 6)] == [False, False, True, True]
    assert waits_after(5, 4.9)
    assert not waits_after(5, 5.1)


def test_what_arrived_between_two_refusals_ends_their_row(bare: Desk) -> None:
    """A filled exit says that the venue takes exits again."""
    with bare.database.begin() as session:
        leg = session.query(LegRow).first()
        assert leg is not None
        entry = session.query(OrderRow).filter_by(instrument_id=leg.instrument_id).one()
        for number, status in enumerate(("REJECTED", "FILLED", "REJECTED", "CANCELED")):
            copied = {c.key: getattr(entry, c.key) for c in OrderRow.__table__.columns if c.key != "id"}
            own = {"client_order_id": f"exit-{number}", "role": OrderRole.EXIT, "status": status}
            nobodys = {"broker_order_id": None, "signal_id": None, "ended_wall": bare.clock.wall()}
            session.add(OrderRow(**(copied | own | nobodys)))
            session.flush()
        found = _refusals(session, leg)

    assert found.count == 2
