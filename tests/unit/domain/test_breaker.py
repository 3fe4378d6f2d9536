"""When a breaker opens, whom it lets go while half open, and when it closes again."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.breaker import (
    Breaker,
    BreakerPolicy,
    BreakerState,
    Witness,
    admit,
    advance,
    hear,
    witness_of_read,
    witness_of_write,
)
from app.domain.errors import (
    BrokerError,
    EgressDownError,
    ProtocolError,
    RateLimitedError,
    SessionExpiredError,
    UnavailableError,
)
from app.domain.ids import AccountId
from app.domain.reports import FaultClass, Outcome, WriteResult

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
POLICY = BreakerPolicy()
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
SECOND = timedelta(seconds=1)


def said(accounts: Iterable[int], *, against: bool = True, at: datetime = NOON) -> list[Witness]:
    return [Witness(account_id=AccountId(a), asked_at=at, is_against=against) for a in accounts]


def heard(breaker: Breaker, news: list[Witness], *, now: datetime = NOON) -> Breaker:
    return hear(breaker, news, now=now, policy=POLICY)


def opened(*, now: datetime = NOON) -> Breaker:
    return heard(Breaker(), said(range(5), at=now), now=now)


def half_open() -> tuple[Breaker, datetime]:
    """Return one that lets probes go, and when."""
    due = NOON + POLICY.first_open
    return advance(opened(), now=due, policy=POLICY), due


def may_go(breaker: Breaker, account: int, *, now: datetime) -> bool:
    return admit(breaker, AccountId(account), now=now, policy=POLICY) is not None


def test_opens_when_the_calls_of_several_accounts_fail() -> None:
    breaker = opened()

    assert (breaker.state, breaker.since) == (OPEN, NOON)
    assert breaker.until == NOON + POLICY.first_open
    assert not may_go(breaker, 9, now=NOON)


@pytest.mark.parametrize(("faults", "state"), [(2, CLOSED), (3, OPEN)])
def test_opens_from_the_fraction_of_faults_on(faults: int, state: BreakerState) -> None:
    news = said(range(faults)) + said(range(10, 16 - faults), against=False)

    assert heard(Breaker(), news).state is state


@pytest.mark.parametrize(("calls", "state"), [(4, CLOSED), (5, OPEN)])
def test_needs_a_number_of_calls(calls: int, state: BreakerState) -> None:
    assert heard(Breaker(), said(range(calls))).state is state


@pytest.mark.parametrize(("accounts", "state"), [([1] * 8 + [2], OPEN), ([1] * 9, CLOSED)])
def test_one_account_never_opens_it_alone(accounts: list[int], state: BreakerState) -> None:
    assert heard(Breaker(), said(accounts)).state is state


def test_an_account_that_fails_among_few_others_that_are_answered_does_not_open_it() -> None:
    assert heard(Breaker(), said([1] * 4) + said([2], against=False)).state is CLOSED
    assert heard(Breaker(), said([1] * 3 + [3]) + said([2], against=False)).state is OPEN


def test_a_flooding_account_is_no_louder_than_the_others() -> None:
    news = said([1] * 100) + said(range(2, 4)) + said(range(4, 10), against=False)
    breaker = heard(Breaker(), news)

    assert breaker.state is OPEN, "four of the flood and two others are against it, six are not"
    assert heard(Breaker(), news + said([10], against=False)).state is CLOSED


def test_remembers_a_bounded_number_of_calls() -> None:
    breaker = heard(Breaker(), said(range(1000), against=False))

    assert len(breaker.heard) == 200
    assert breaker.heard[-1].account_id == 999


def test_forgets_what_is_older_than_the_window() -> None:
    young = heard(Breaker(), said(range(4)))

    assert heard(young, said([5], at=NOON + 29 * SECOND), now=NOON + 29 * SECOND).state is OPEN
    assert heard(young, said([5], at=NOON + 30 * SECOND), now=NOON + 30 * SECOND).state is CLOSED


def test_lets_as_many_accounts_probe_as_the_policy_says_once_each() -> None:
    breaker, due = half_open()
    assert not may_go(opened(), 1, now=due - timedelta(microseconds=1))
    first = admit(opened(), AccountId(1), now=due, policy=POLICY)
    assert first is not None
    assert first.state is HALF_OPEN
    assert not may_go(first, 1, now=due)
    second = admit(first, AccountId(2), now=due, policy=POLICY)
    assert second is not None
    assert not may_go(second, 3, now=due)
    assert may_go(breaker, 3, now=due)


def test_lost_probes_are_replaced_after_a_while() -> None:
    breaker, due = half_open()
    for account in (1, 2):
        breaker = admit(breaker, AccountId(account), now=due, policy=POLICY) or breaker

    assert not may_go(breaker, 3, now=due + POLICY.probe_wait - SECOND)
    assert may_go(breaker, 1, now=due + POLICY.probe_wait)


def test_one_answer_closes_it_and_older_calls_say_nothing_any_more() -> None:
    breaker, due = half_open()
    later = due + SECOND

    closed = heard(breaker, said([2], against=False, at=due) + said([1], at=due), now=later)

    assert (closed.state, closed.since, closed.heard) == (CLOSED, later, ())
    assert may_go(closed, 1, now=later)
    assert heard(closed, said(range(9), at=due), now=later).state is CLOSED


def test_a_call_asked_before_it_was_half_open_is_no_probe() -> None:
    breaker, due = half_open()

    assert heard(breaker, said([1, 2], at=due - SECOND), now=due) == breaker
    assert heard(breaker, said([1], against=False, at=due - SECOND), now=due).state is HALF_OPEN


def test_an_open_one_hears_nothing() -> None:
    breaker = opened()

    assert heard(breaker, said([1], against=False), now=NOON) == breaker


def test_failed_probes_open_it_for_longer_up_to_a_limit() -> None:
    breaker, lengths = opened(), []
    for _ in range(6):
        due = breaker.until
        lengths.append((breaker.until - breaker.since).total_seconds())
        half = heard(breaker, said([1], at=due), now=due)
        assert half.state is HALF_OPEN, "one account alone proves nothing"
        breaker = heard(half, said([2], at=due), now=due)
        assert breaker.state is OPEN

    assert lengths == [5, 10, 20, 40, 60, 60]


@pytest.mark.parametrize(("after", "length"), [(60, 10), (61, 5)])
def test_forgives_after_a_time_without_opening(after: int, length: int) -> None:
    breaker, due = half_open()
    closed = heard(breaker, said([1], against=False, at=due), now=due)
    again = due + after * SECOND

    assert heard(closed, said(range(5), at=again), now=again).open_for == length * SECOND


def test_a_clock_that_was_set_back_holds_nobody_for_longer() -> None:
    back = NOON - timedelta(hours=1)
    breaker = advance(opened(), now=back, policy=POLICY)

    assert breaker.since == back
    assert breaker.until == back + POLICY.longest_open
    closed = replace(Breaker(), since=NOON)
    assert heard(closed, said(range(5), at=back), now=back).state is OPEN


@pytest.mark.parametrize(
    ("outcome", "fault", "expected"),
    [
        (Outcome.ACCEPTED, FaultClass.NONE, False),
        (Outcome.REJECTED, FaultClass.FUNDS, False),
        (Outcome.UNKNOWN, FaultClass.BROKER_DOWN, True),
        (Outcome.UNKNOWN, FaultClass.UNKNOWN, True),
        (Outcome.NOT_SENT, FaultClass.BROKER_DOWN, True),
        (Outcome.UNKNOWN, FaultClass.DUPLICATE, None),
        (Outcome.NOT_SENT, FaultClass.UNKNOWN, None),
        (Outcome.NOT_SENT, FaultClass.INVALID, None),
        (Outcome.NOT_SENT, FaultClass.THROTTLED, None),
        (Outcome.NOT_SENT, FaultClass.AUTH_EXPIRED, None),
        (Outcome.NOT_SENT, FaultClass.AUTH_DENIED, None),
        (Outcome.NOT_SENT, FaultClass.IP_DENIED, None),
        (Outcome.NOT_SENT, FaultClass.EGRESS_DOWN, None),
    ],
)
def test_only_faults_of_the_broker_speak_against_it(
    outcome: Outcome,
    fault: FaultClass,
    expected: bool | None,  # noqa: FBT001
) -> None:
    witness = witness_of_write(AccountId(1), NOON, WriteResult(outcome=outcome, fault=fault))

    assert (None if witness is None else witness.is_against) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, False),
        (UnavailableError("no answer"), True),
        (EgressDownError("no way out"), None),
        (SessionExpiredError("over"), None),
        (RateLimitedError("slow down", retry_after_s=1), None),
        (ProtocolError("a row of this account"), None),
    ],
)
def test_a_read_speaks_by_its_fault(
    error: BrokerError | None,
    expected: bool | None,  # noqa: FBT001
) -> None:
    witness = witness_of_read(AccountId(1), NOON, error)

    assert (None if witness is None else witness.is_against) is expected
