"""Check the laws of the breaker for any history of calls, answers and waiting."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.domain.breaker import Breaker, BreakerPolicy, BreakerState, Witness, admit, advance, hear
from app.domain.ids import AccountId

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
POLICY = BreakerPolicy()
Step = tuple[int, int, bool | None]


def _steps(accounts: st.SearchStrategy[int]) -> st.SearchStrategy[list[Step]]:
    """Seconds that pass, an account, and what its call says: for, against, or it only asks to go."""
    return st.lists(
        st.tuples(st.integers(0, 20), accounts, st.sampled_from((True, False, None))), max_size=60
    )


def _run(steps: Sequence[Step]) -> list[tuple[datetime, Breaker, AccountId | None]]:
    """Return each moment with the breaker after it and the account that was let go, if one was."""
    now, breaker = NOON, Breaker()
    history = []
    for seconds, number, is_against in steps:
        now += timedelta(seconds=seconds)
        account_id, went = AccountId(number), None
        if is_against is None:
            admitted = admit(breaker, account_id, now=now, policy=POLICY)
            breaker, went = (breaker, None) if admitted is None else (admitted, account_id)
        else:
            news = [Witness(account_id=account_id, asked_at=now, is_against=is_against)]
            breaker = hear(breaker, news, now=now, policy=POLICY)
        history.append((now, breaker, went))
    return history


@given(_steps(st.just(1)))
def test_no_account_opens_it_alone(steps: list[Step]) -> None:
    assert all(breaker.state is BreakerState.CLOSED for _, breaker, _ in _run(steps))


@given(_steps(st.integers(1, 6)))
def test_an_open_one_opens_its_door_within_the_longest_time_and_not_before_the_shortest(
    steps: list[Step],
) -> None:
    for now, breaker, went in _run(steps):
        if breaker.state is BreakerState.OPEN:
            assert went is None
            assert POLICY.first_open <= breaker.until - breaker.since <= POLICY.longest_open
            assert breaker.since <= now
        if breaker.state is BreakerState.HALF_OPEN:
            assert len(set(breaker.probed)) == len(breaker.probed) <= POLICY.probes


@given(_steps(st.integers(1, 6)))
def test_a_broker_that_is_back_is_found_whatever_happened_before(steps: list[Step]) -> None:
    last, breaker, _ = [(NOON, Breaker(), None), *_run(steps)][-1]
    now = last + POLICY.longest_open

    admitted = admit(breaker, AccountId(7), now=now, policy=POLICY)

    assert admitted is not None
    answer = Witness(account_id=AccountId(7), asked_at=now, is_against=False)
    assert hear(admitted, [answer], now=now, policy=POLICY).state is BreakerState.CLOSED


@given(_steps(st.integers(1, 6)))
def test_it_is_the_same_for_everybody_who_looks_at_it(steps: list[Step]) -> None:
    for now, breaker, _ in _run(steps):
        looked = advance(breaker, now=now, policy=POLICY)
        assert advance(looked, now=now, policy=POLICY) == looked
    assert _run(steps) == _run(steps)


@given(_steps(st.integers(1, 6)))
def test_a_broker_that_always_answers_is_never_held_back(steps: list[Step]) -> None:
    healthy = [(seconds, account, None if said is None else False) for seconds, account, said in steps]

    assert all(breaker.state is BreakerState.CLOSED for _, breaker, _ in _run(healthy))
