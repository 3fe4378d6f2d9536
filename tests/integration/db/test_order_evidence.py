"""Looks for an UNKNOWN order are kept as they were; equal ones are counted, so that they cannot flood."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.models import OrderEvidenceRow
from app.db.order_evidence import add_look
from app.db.session import Database
from app.domain.ids import BrokerOrderId
from app.domain.orders import OrderStatus, Side
from app.domain.unknown_orders import EvidenceSource, Look
from tests.dashboard.seed import CALL, LOT, PREMIUMS, add_order, at, seed_people

pytestmark = pytest.mark.integration

T0 = at(10, 12)
CLEAN = Look(source=EvidenceSource.TAG, is_clean=True, seen="nothing")
UNCLEAN = Look(source=EvidenceSource.TAG, is_clean=False, seen="unreadable")


@pytest.fixture
def session(fresh_database_url: str) -> Iterator[Session]:
    database = Database(fresh_database_url)
    with database.begin() as session:
        yield session
    database.close()


@pytest.fixture
def order_id(session: Session) -> int:
    [person] = seed_people(session, count=1)
    order = add_order(
        session,
        person,
        key="lost",
        instrument=CALL,
        side=Side.SELL,
        status=OrderStatus.SUBMITTED,
        price=PREMIUMS[CALL],
        filled=LOT * 0,
        moment=T0,
    )
    return order.id


def look(session: Session, order_id: int, second: int, what: Look, *, deadline_s: int | None = None) -> None:
    wall = T0 + timedelta(seconds=second)
    deadline = None if deadline_s is None else T0 + timedelta(seconds=deadline_s)
    add_look(session, order_id, what, now=wall, wall=wall, provable_from=deadline)
    session.flush()


def entries(session: Session) -> Sequence[tuple[bool, int, datetime, datetime]]:
    rows = session.scalars(select(OrderEvidenceRow).order_by(OrderEvidenceRow.id))
    return [(row.is_proof, row.looks, row.first_wall, row.last_wall) for row in rows]


def test_equal_looks_are_one_entry_with_a_count_and_the_last_time(session: Session, order_id: int) -> None:
    for second in range(5):
        look(session, order_id, second, CLEAN)

    assert entries(session) == [(False, 5, T0, T0 + timedelta(seconds=4))]


def test_the_looks_after_the_deadline_are_an_entry_of_their_own(session: Session, order_id: int) -> None:
    for second in range(5):
        look(session, order_id, second, CLEAN, deadline_s=3)

    assert [entry[:2] for entry in entries(session)] == [(False, 3), (True, 2)]


def test_an_unclean_look_after_the_deadline_is_no_proof(session: Session, order_id: int) -> None:
    look(session, order_id, 9, UNCLEAN, deadline_s=3)

    assert [entry[0] for entry in entries(session)] == [False]


def test_answers_that_take_turns_do_not_flood(session: Session, order_id: int) -> None:
    for second in range(100):
        look(session, order_id, second, CLEAN if second % 2 else UNCLEAN)

    assert [entry[1] for entry in entries(session)] == [50, 50]


def test_another_source_or_another_finding_is_another_entry(session: Session, order_id: int) -> None:
    trades = Look(source=EvidenceSource.TRADES, is_clean=True, seen="nothing")
    found = Look(
        source=EvidenceSource.TRADES, is_clean=True, seen="nothing", broker_order_ids=(BrokerOrderId("7"),)
    )
    for what in (CLEAN, trades, found):
        look(session, order_id, 1, what)

    assert len(entries(session)) == 3


@pytest.mark.parametrize(
    "change",
    [
        "update order_evidence set seen = 'something'",
        "update order_evidence set looks = looks + 1, is_proof = true",
        "update order_evidence set looks = looks - 1",
        "update order_evidence set looks = looks + 2",
        "update order_evidence set looks = looks + 1, last_wall = last_wall - interval '1 s'",
        "delete from order_evidence",
        "truncate order_evidence",
    ],
)
def test_the_database_refuses_every_other_change(session: Session, order_id: int, change: str) -> None:
    look(session, order_id, 1, CLEAN)

    with pytest.raises(IntegrityError, match="order_evidence is append-only"), session.begin_nested():
        session.execute(text(change))
