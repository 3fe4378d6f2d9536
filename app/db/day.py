"""Keep the day: phases that ran and the readiness table. Callers hold the transaction."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import case, false, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import AccountRow, DeploymentRow, InjectedSessionRow, LoginRow, PhaseRunRow, UserRow
from app.db.shards import at_brokers
from app.domain.accounts import BrokerCode, LoginReason, LoginStatus
from app.domain.calendar_rules import SessionKind, TradingSession
from app.domain.deployments import DeploymentState
from app.domain.ids import AccountId
from app.domain.instruments import Venue
from app.domain.phases import Phase

_ABANDONED_AFTER = timedelta(seconds=45)


def begin_phase(
    session: Session, *, venue: str, day: date, phase: Phase, due_at: datetime, now: datetime
) -> bool:
    """Claim a phase; False when it ran or runs. One abandoned by a dead worker may be taken over (I10)."""
    values = {"venue": venue, "day": day, "phase": phase, "due_at": due_at, "started_at": now}
    statement = (
        insert(PhaseRunRow)
        .values(**values)
        .on_conflict_do_update(
            index_elements=["venue", "day", "phase"],
            set_={"started_at": now, "started_wall": func.clock_timestamp()},
            where=(PhaseRunRow.finished_at.is_(None))
            & (PhaseRunRow.started_wall < func.clock_timestamp() - _ABANDONED_AFTER),
        )
        .returning(PhaseRunRow.phase)
    )
    return session.scalar(statement) is not None


def finish_phase(
    session: Session, *, venue: str, day: date, phase: Phase, now: datetime, summary: dict[str, Any]
) -> None:
    """Record that a phase has ended, with what it did."""
    session.execute(
        update(PhaseRunRow)
        .where(PhaseRunRow.venue == venue, PhaseRunRow.day == day, PhaseRunRow.phase == phase)
        .values(finished_at=now, summary=summary)
    )


def note_phase(session: Session, *, venue: str, day: date, phase: Phase, summary: dict[str, Any]) -> None:
    """Add to the summary of a phase that ran."""
    session.execute(
        update(PhaseRunRow)
        .where(PhaseRunRow.venue == venue, PhaseRunRow.day == day, PhaseRunRow.phase == phase)
        .values(summary=PhaseRunRow.summary.op("||")(summary))
    )


def finished_phases(session: Session, *, venue: str, day: date) -> frozenset[Phase]:
    """Return the phases of a day that have ended."""
    statement = select(PhaseRunRow.phase).where(
        PhaseRunRow.venue == venue, PhaseRunRow.day == day, PhaseRunRow.finished_at.is_not(None)
    )
    return frozenset(Phase(p) for p in session.scalars(statement))


def injected_sessions(session: Session) -> tuple[TradingSession, ...]:
    """Return the sessions that operators announced."""
    return tuple(
        TradingSession(
            venue=Venue(row.venue),
            segment=row.segment,
            date=row.day,
            open_at=row.open_at,
            close_at=row.close_at,
            kind=SessionKind.INJECTED,
            source=f"injected by {row.actor}",
            notes=row.reason,
        )
        for row in session.scalars(select(InjectedSessionRow))
    )


Brokers = Collection[BrokerCode]
"""The brokers of one market: its day leaves the accounts of the others alone."""


def enroll_accounts(session: Session, day: date, brokers: Brokers) -> None:
    """Put every enabled account with an active deployment on the day's readiness table. Idempotent."""
    wanted = (
        select(AccountRow.id, literal(day))
        .join(UserRow, UserRow.id == AccountRow.user_id)
        .where(
            AccountRow.is_enabled,
            AccountRow.broker.in_(brokers),
            UserRow.is_enabled,
            select(DeploymentRow.id)
            .where(DeploymentRow.account_id == AccountRow.id, DeploymentRow.state == DeploymentState.ACTIVE)
            .exists(),
        )
    )
    session.execute(insert(LoginRow).from_select(["account_id", "day"], wanted).on_conflict_do_nothing())


def accounts_to_log_in(
    session: Session, day: date, brokers: Brokers, *, now: datetime
) -> Sequence[AccountId]:
    """Return the accounts that should try to log in now: new, failed and due again, or abandoned."""
    is_free = or_(LoginRow.claimed_until.is_(None), LoginRow.claimed_until < func.clock_timestamp())
    is_due = or_(LoginRow.next_try_at.is_(None), LoginRow.next_try_at <= now)
    statement = (
        select(LoginRow.account_id)
        .where(
            LoginRow.day == day,
            at_brokers(LoginRow.account_id, brokers),
            LoginRow.status.in_((LoginStatus.PENDING, LoginStatus.FAILED, LoginStatus.LOGGING_IN)),
            is_free,
            is_due,
        )
        .order_by(LoginRow.account_id)
    )
    return [AccountId(i) for i in session.scalars(statement)]


def claim_login(
    session: Session, account_id: AccountId, day: date, *, now: datetime, hold: timedelta
) -> bool:
    """Claim one account's login, so that two tasks never log the same account in at once."""
    statement = (
        update(LoginRow)
        .where(
            LoginRow.account_id == account_id,
            LoginRow.day == day,
            LoginRow.status.in_((LoginStatus.PENDING, LoginStatus.FAILED, LoginStatus.LOGGING_IN)),
            or_(LoginRow.claimed_until.is_(None), LoginRow.claimed_until < func.clock_timestamp()),
        )
        .values(
            status=LoginStatus.LOGGING_IN,
            claimed_until=func.clock_timestamp() + hold,
            attempts=LoginRow.attempts + 1,
            started_at=func.coalesce(LoginRow.started_at, now),
        )
        .returning(LoginRow.account_id)
    )
    return session.scalar(statement) is not None


def record_login(  # noqa: PLR0913  one row of the readiness table
    session: Session,
    account_id: AccountId,
    day: date,
    *,
    status: LoginStatus,
    reason: LoginReason,
    detail: str,
    took_ms: int,
    now: datetime,
    next_try_at: datetime | None,
) -> None:
    """Record how a login ended; the claim is given back.

    Who only waits for the next try keeps the reason why the last one failed.
    """
    keeps = (LoginRow.reason != LoginReason.NONE) if status is LoginStatus.PENDING else false()
    session.execute(
        update(LoginRow)
        .where(LoginRow.account_id == account_id, LoginRow.day == day)
        .values(
            status=status,
            reason=case((keeps, LoginRow.reason), else_=reason),
            detail=case((keeps, LoginRow.detail), else_=detail),
            took_ms=took_ms,
            finished_at=now if status is LoginStatus.READY else None,
            claimed_until=None,
            next_try_at=next_try_at,
        )
    )


def login_counts(session: Session, day: date, brokers: Brokers) -> dict[str, int]:
    """Return how many accounts are in each login status."""
    statement = (
        select(LoginRow.status, func.count())
        .where(LoginRow.day == day, at_brokers(LoginRow.account_id, brokers))
        .group_by(LoginRow.status)
    )
    return {status: count for status, count in session.execute(statement)}  # noqa: C416  rows, not pairs


def ready_accounts(session: Session, day: date, brokers: Brokers) -> Sequence[AccountId]:
    """Return the accounts that may trade today."""
    statement = (
        select(LoginRow.account_id)
        .where(
            LoginRow.day == day,
            LoginRow.status == LoginStatus.READY,
            at_brokers(LoginRow.account_id, brokers),
        )
        .order_by(LoginRow.account_id)
    )
    return [AccountId(i) for i in session.scalars(statement)]


def arm_deployments(session: Session, day: date, brokers: Brokers) -> int:
    """Arm the active deployments of ready accounts; return how many are newly armed."""
    ready = select(LoginRow.account_id).where(LoginRow.day == day, LoginRow.status == LoginStatus.READY)
    ready = ready.where(at_brokers(LoginRow.account_id, brokers))
    statement = (
        update(DeploymentRow)
        .where(
            DeploymentRow.account_id.in_(ready),
            DeploymentRow.state == DeploymentState.ACTIVE,
            DeploymentRow.armed_on.is_distinct_from(day),
        )
        .values(armed_on=day)
        .returning(DeploymentRow.id)
    )
    return len(session.scalars(statement).all())


def disarm_deployments(session: Session, day: date, brokers: Brokers) -> None:
    """Ask the market's deployments for no more signals on a day."""
    session.execute(
        update(DeploymentRow)
        .where(DeploymentRow.armed_on == day, at_brokers(DeploymentRow.account_id, brokers))
        .values(armed_on=None)
    )


def reopen_login(session: Session, account_id: AccountId, day: date) -> None:
    """Send an account whose session died back to the login; what it has armed stays armed."""
    session.execute(
        update(LoginRow)
        .where(LoginRow.account_id == account_id, LoginRow.day == day, LoginRow.status == LoginStatus.READY)
        .values(status=LoginStatus.PENDING, detail="the broker ended the session", next_try_at=None)
    )


def retry_login_now(session: Session, account_id: AccountId, day: date) -> None:
    """Let an account's next login try be due at once, because a person has mended its cause."""
    session.execute(
        update(LoginRow)
        .where(LoginRow.account_id == account_id, LoginRow.day == day)
        .values(next_try_at=None)
    )
