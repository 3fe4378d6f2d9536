"""Keep leases: who may run what, with a fencing number that grows with every holder (I11)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import LeaseRow
from app.domain.errors import InvariantError
from app.domain.instruments import Venue

INTERRUPTED_AFTER = timedelta(seconds=10)
"""How long nobody may have held a lease for its run to count as unbroken: more than any takeover takes."""


# Asked in each transaction of a lane; to build it would cost more than to ask it.
_FENCE = select(LeaseRow.fence).where(LeaseRow.name == bindparam("of_run")).with_for_update(read=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Hold a lease that was taken; `was_interrupted` says that nobody held it for a while before."""

    fence: int
    kind: str
    spec: dict[str, Any]
    was_interrupted: bool


class LeaseLostError(InvariantError):
    """Somebody else holds the lease now; stop before the next write."""

    code = "lease_lost"


def want_run(session: Session, *, name: str, kind: str, queue: str, spec: dict[str, Any]) -> None:
    """Declare that a run shall live; the supervisor starts it. Idempotent."""
    row = insert(LeaseRow).values(name=name, kind=kind, queue=queue, spec=spec, is_wanted=True)
    session.execute(
        row.on_conflict_do_update(
            index_elements=[LeaseRow.name], set_={"spec": spec, "is_wanted": True, "queue": queue}
        )
    )


def unwant_runs(session: Session, venue: Venue) -> None:
    """Let all runs of a venue end; their hosts see it at the next renewal."""
    statement = update(LeaseRow).where(LeaseRow.spec["venue"].astext == venue)
    session.execute(statement.values(is_wanted=False))


def take_lease(session: Session, name: str, *, holder: str, ttl: timedelta) -> Taken | None:
    """Take a free or lapsed lease with a new fencing number, or return None while another holds it."""
    is_free = (LeaseRow.name == name, LeaseRow.is_wanted, LeaseRow.expires_at < func.clock_timestamp())
    idle = session.scalar(
        select(func.clock_timestamp() - LeaseRow.expires_at).where(*is_free).with_for_update()
    )
    if idle is None:
        return None
    statement = (
        update(LeaseRow)
        .where(LeaseRow.name == name)
        .values(holder=holder, fence=LeaseRow.fence + 1, expires_at=func.clock_timestamp() + ttl)
        .returning(LeaseRow.fence, LeaseRow.kind, LeaseRow.spec)
    )
    row = session.execute(statement).one()
    return Taken(fence=row.fence, kind=row.kind, spec=row.spec, was_interrupted=idle > INTERRUPTED_AFTER)


def renew_lease(session: Session, name: str, *, fence: int, ttl: timedelta, progress: dict[str, Any]) -> bool:
    """Prolong a lease that is still ours; return whether the run is still wanted.

    Raises:
        LeaseLostError: it lapsed and went to another holder.
    """
    statement = (
        update(LeaseRow)
        .where(LeaseRow.name == name, LeaseRow.fence == fence)
        .values(expires_at=func.clock_timestamp() + ttl, progress=progress)
        .returning(LeaseRow.is_wanted)
    )
    row = session.execute(statement).one_or_none()
    if row is None:
        raise LeaseLostError(
            f"lease {name}: expected fencing number {fence}, another holder has a higher one"
        )
    return bool(row.is_wanted)


def release_lease(session: Session, name: str, *, fence: int) -> None:
    """Give a lease back, if it is still ours; it says until when it was held."""
    session.execute(
        update(LeaseRow)
        .where(LeaseRow.name == name, LeaseRow.fence == fence)
        .values(expires_at=func.clock_timestamp(), dispatched_at=func.to_timestamp(0))
    )


def check_fence(session: Session, name: str, *, fence: int) -> None:
    """Refuse a write of a holder that lost its lease; holds the row until the transaction ends.

    Raises:
        LeaseLostError: another holder took over.
    """
    current = session.scalar(_FENCE, {"of_run": name})
    if current != fence:
        raise LeaseLostError(f"lease {name}: expected fencing number {fence}, it is {current}")


def lapsed_runs(session: Session, kinds: Sequence[str]) -> dict[str, str]:
    """Return the name and kind of each wanted run of these kinds that nobody holds."""
    statement = select(LeaseRow.name, LeaseRow.kind).where(
        LeaseRow.is_wanted, LeaseRow.kind.in_(kinds), LeaseRow.expires_at < func.clock_timestamp()
    )
    return {name: kind for name, kind in session.execute(statement)}  # noqa: C416  rows


@dataclass(frozen=True, slots=True)
class LastHeld:
    """Show who holds a run, or held it last.

    `lapsed_s` is below zero while the lease lives; `waited_s` counts from its end, or from when a successor
    was called, if that is later.
    """

    name: str
    holder: str
    fence: int
    lapsed_s: float
    waited_s: float


def last_holders(session: Session, kind: str) -> Sequence[LastHeld]:
    """Return the wanted runs of a kind with who holds or held them."""
    return [
        LastHeld(name, holder, fence, float(lapsed_s), float(waited_s))
        for name, holder, fence, lapsed_s, waited_s in session.execute(_last_holders(kind))
    ]


@cache
def _last_holders(kind: str) -> Select[str, str, int, float, float]:
    called_or_ended = func.greatest(LeaseRow.expires_at, LeaseRow.dispatched_at)
    lapsed, waited = (
        func.extract("epoch", func.clock_timestamp() - moment)
        for moment in (LeaseRow.expires_at, called_or_ended)
    )
    return select(LeaseRow.name, LeaseRow.holder, LeaseRow.fence, lapsed, waited).where(
        LeaseRow.is_wanted, LeaseRow.kind == kind
    )


def claim_lapsed(
    session: Session, *, redispatch_after: timedelta
) -> Sequence[tuple[str, str, dict[str, Any]]]:
    """Return (name, kind, spec) of wanted runs without a holder, each at most once per `redispatch_after`.

    A row that somebody holds right now is left for the next sweep, so that two who touch several rows
    never wait for each other.
    """
    free = (
        select(LeaseRow.name)
        .where(
            LeaseRow.is_wanted,
            LeaseRow.expires_at < func.clock_timestamp(),
            LeaseRow.dispatched_at < func.clock_timestamp() - redispatch_after,
        )
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(LeaseRow)
        .where(LeaseRow.name.in_(free))
        .values(dispatched_at=func.clock_timestamp())
        .returning(LeaseRow.name, LeaseRow.kind, LeaseRow.spec)
    )
    return [(row.name, row.kind, row.spec) for row in session.execute(statement)]
