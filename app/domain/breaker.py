"""Stop asking a broker that fails for many accounts, and find out gently when it is back.

One breaker watches one class of endpoints of one broker. It believes what calls tell and nothing else:
it holds no clock, and any process can take it over as data. Who is held back is decided elsewhere: entries,
periodic reads and logins; never an exit or a cancel (I7).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from app.domain.errors import BrokerError, EgressDownError, UnavailableError
from app.domain.ids import AccountId
from app.domain.reports import FaultClass, Outcome, WriteResult

_EVER = datetime.fromtimestamp(0, UTC)
_MOST_HEARD = 200
_GROWTH = 2


class EndpointClass(StrEnum):
    """Name what fails together at a broker: placing, changing and canceling; reports; logging in."""

    ORDERS = "ORDERS"
    READS = "READS"
    LOGINS = "LOGINS"


class BreakerState(StrEnum):
    """Say whether calls leave: all of them, none, or a few that find out."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """Say when a breaker opens and closes.

    Of the calls asked within `window`, the latest `calls_per_account` of each account count, so that no
    account is louder than another. It opens when at least `minimum_calls` count, `fault_fraction` of them
    speak against the broker, and these are of `minimum_accounts` accounts: one account never opens it alone.
    It stays open for `first_open`, twice as long each time it opens soon again, up to `longest_open`. Then
    `probes` accounts may make one call each; after `probe_wait` without an answer others may try.
    """

    window: timedelta = timedelta(seconds=30)
    calls_per_account: int = 4
    minimum_calls: int = 5
    minimum_accounts: int = 2
    fault_fraction: Fraction = Fraction(1, 2)
    first_open: timedelta = timedelta(seconds=5)
    longest_open: timedelta = timedelta(seconds=60)
    probes: int = 2
    probe_wait: timedelta = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Tell what one call says about its broker: that it answered, or that it is at fault. Machine time."""

    account_id: AccountId
    asked_at: datetime
    is_against: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Hold one breaker. Calls asked before `since`, the last change of state, say nothing about it.

    `until` is when an OPEN one lets probes go, and when those of a HALF_OPEN one count as lost.
    """

    state: BreakerState = BreakerState.CLOSED
    since: datetime = _EVER
    until: datetime = _EVER
    open_for: timedelta = timedelta(0)
    probed: tuple[AccountId, ...] = ()
    heard: tuple[Witness, ...] = ()


def advance(breaker: Breaker, *, now: datetime, policy: BreakerPolicy) -> Breaker:
    """Return what time alone makes of a breaker; a clock that was set back holds nobody for longer."""
    since = min(breaker.since, now)
    until = min(breaker.until, now + max(policy.longest_open, policy.probe_wait))
    if breaker.state is BreakerState.CLOSED or now < until:
        return replace(breaker, since=since, until=until)
    if breaker.state is BreakerState.OPEN:
        return replace(
            breaker, state=BreakerState.HALF_OPEN, since=until, until=now + policy.probe_wait, probed=()
        )
    return replace(breaker, since=since, until=now + policy.probe_wait, probed=())


def admit(breaker: Breaker, account_id: AccountId, *, now: datetime, policy: BreakerPolicy) -> Breaker | None:
    """Return the breaker after a call of this account was let go, or None when the call must wait."""
    current = advance(breaker, now=now, policy=policy)
    if current.state is BreakerState.CLOSED:
        return current
    is_probe = current.state is BreakerState.HALF_OPEN and account_id not in current.probed
    if not is_probe or len(current.probed) >= policy.probes:
        return None
    return replace(current, probed=(*current.probed, account_id))


def hear(breaker: Breaker, said: Iterable[Witness], *, now: datetime, policy: BreakerPolicy) -> Breaker:
    """Return the breaker after calls ended, whoever made them: exits, which always go, speak as well.

    While HALF_OPEN one answer closes it: were the broker still failing, it opens again and for longer.
    """
    current = advance(breaker, now=now, policy=policy)
    news = [one for one in said if one.asked_at >= current.since]
    if current.state is BreakerState.OPEN or not news:
        return current
    heard = _counting((*current.heard, *news), now=now, policy=policy)
    if current.state is BreakerState.CLOSED:
        is_failing = _is_failing(heard, policy)
        return _opened(current, now=now, policy=policy) if is_failing else replace(current, heard=heard)
    if not all(one.is_against for one in news):
        return replace(current, state=BreakerState.CLOSED, since=now, probed=(), heard=())
    if len({one.account_id for one in heard}) >= policy.probes:
        return _opened(current, now=now, policy=policy)
    return replace(current, heard=heard)


def _counting(heard: Sequence[Witness], *, now: datetime, policy: BreakerPolicy) -> tuple[Witness, ...]:
    """Return what still counts, oldest first, and never more than a fixed number."""
    counts: Counter[AccountId] = Counter()
    kept = []
    for one in reversed(heard):
        counts[one.account_id] += 1
        if one.asked_at > now - policy.window and counts[one.account_id] <= policy.calls_per_account:
            kept.append(one)
    return tuple(reversed(kept[:_MOST_HEARD]))


def _is_failing(heard: Sequence[Witness], policy: BreakerPolicy) -> bool:
    against = [one.account_id for one in heard if one.is_against]
    return (
        len(heard) >= policy.minimum_calls
        and len(against) >= policy.fault_fraction * len(heard)
        and len(set(against)) >= policy.minimum_accounts
    )


def _opened(breaker: Breaker, *, now: datetime, policy: BreakerPolicy) -> Breaker:
    is_soon_again = breaker.state is BreakerState.HALF_OPEN or now - breaker.since <= policy.longest_open
    grown = breaker.open_for * _GROWTH if is_soon_again else policy.first_open
    open_for = min(max(grown, policy.first_open), policy.longest_open)
    return Breaker(state=BreakerState.OPEN, since=now, until=now + open_for, open_for=open_for)


def witness_of_write(account_id: AccountId, asked_at: datetime, result: WriteResult) -> Witness | None:
    """Return what a write says about its broker; None for what concerns the account or ourselves alone.

    A refused order is an answer. A throttled, unauthorized or unsent one says nothing about the others.
    """
    if result.outcome in (Outcome.ACCEPTED, Outcome.REJECTED):
        return Witness(account_id=account_id, asked_at=asked_at, is_against=False)
    is_lost = result.outcome is Outcome.UNKNOWN and result.fault is FaultClass.UNKNOWN
    if is_lost or result.fault is FaultClass.BROKER_DOWN:
        return Witness(account_id=account_id, asked_at=asked_at, is_against=True)
    return None


def witness_of_read(account_id: AccountId, asked_at: datetime, error: BrokerError | None) -> Witness | None:
    """Return what a read says about its broker by the fault it ended in, None for one that succeeded."""
    is_fault = isinstance(error, UnavailableError) and not isinstance(error, EgressDownError)
    if error is None or is_fault:
        return Witness(account_id=account_id, asked_at=asked_at, is_against=is_fault)
    return None
