"""Calls that hang hold their own seats and nobody else's."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from app.domain.accounts import BrokerCode
from app.domain.breaker import Witness
from app.domain.errors import InvariantError
from app.domain.ids import AccountId
from app.services.lanes.bulkhead import Bounds, Bulkhead
from tests.waiting import eventually

HUNG, SOUND, ELSEWHERE = AccountId(1), AccountId(2), AccountId(103)
BOUNDS = Bounds(
    broker_of=lambda account: BrokerCode.PAPER if account > 100 else BrokerCode.KOTAK_NEO,
    per_broker=4,
    per_account=2,
)


@pytest.fixture
def answer() -> Iterator[threading.Event]:
    """Set when the broker answers; at the latest at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def bulkhead(answer: threading.Event) -> Iterator[Bulkhead]:
    with Bulkhead("test", BOUNDS) as bulkhead:
        yield bulkhead
        answer.set()


def _hang(bulkhead: Bulkhead, account: AccountId, answer: threading.Event) -> None:
    def call() -> None:
        answer.wait(30)

    bulkhead.start(account, call)


def test_an_account_that_hangs_leaves_seats_to_the_others(
    bulkhead: Bulkhead, answer: threading.Event
) -> None:
    for _ in range(2):
        _hang(bulkhead, HUNG, answer)
    done = threading.Event()

    assert not bulkhead.seats().has(HUNG)
    assert bulkhead.seats().full_accounts() == [HUNG]
    bulkhead.start(SOUND, done.set)
    assert done.wait(10)


def test_a_broker_that_hangs_leaves_threads_to_the_others(
    bulkhead: Bulkhead, answer: threading.Event
) -> None:
    for account in (1, 2, 3, 4):
        _hang(bulkhead, AccountId(account), answer)
    done = threading.Event()

    assert not bulkhead.seats().has(AccountId(5))
    bulkhead.start(ELSEWHERE, done.set)
    assert done.wait(10)


def test_seats_taken_in_one_look_count_before_anything_starts(bulkhead: Bulkhead) -> None:
    seats = bulkhead.seats()

    assert [seats.takes(HUNG) for _ in range(3)] == [True, True, False]
    assert [seats.takes(AccountId(account)) for account in (2, 3, 4)] == [True, True, False]
    assert bulkhead.seats().has(HUNG), "what was only looked at binds nobody"


def test_nothing_ever_waits_for_a_thread(bulkhead: Bulkhead, answer: threading.Event) -> None:
    for _ in range(2):
        _hang(bulkhead, HUNG, answer)

    with pytest.raises(InvariantError, match="free seat"):
        _hang(bulkhead, HUNG, answer)


def test_a_seat_is_free_again_when_its_call_has_ended_however_it_ended(
    bulkhead: Bulkhead, answer: threading.Event
) -> None:
    def fail() -> None:
        raise InvariantError("a bug")

    bulkhead.start(HUNG, fail)
    _hang(bulkhead, HUNG, answer)
    answer.set()

    def has_both() -> bool:
        seats = bulkhead.seats()
        return seats.takes(HUNG) and seats.takes(HUNG)

    eventually(has_both)


def test_accounts_without_an_answer_leave_a_quarter_of_the_seats_to_the_others(
    bulkhead: Bulkhead, answer: threading.Event
) -> None:
    suspect, other = AccountId(11), AccountId(12)

    def says(*, against: bool) -> None:
        witness = Witness(account_id=suspect, asked_at=datetime.now(UTC), is_against=against)
        bulkhead.start(suspect, lambda: witness)

    says(against=True)
    for account in (1, 2, 3):
        _hang(bulkhead, AccountId(account), answer)

    eventually(lambda: bulkhead.seats().has(other))
    assert not bulkhead.seats().has(suspect)
    says(against=False)
    eventually(lambda: bulkhead.seats().has(suspect))
