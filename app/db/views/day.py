"""Read the day: phases that ran, runs that live, alarms, acts and commands."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.db.models import (
    AlarmRow,
    AuditRow,
    CommandRow,
    LeaseRow,
    PhaseRunRow,
)
from app.db.scope import DataScope
from app.db.views import AnyRow
from app.domain.instruments import Venue


def read_phase_runs(session: Session, *, venue: Venue, day: date) -> Sequence[AnyRow]:
    """Return the phases of a day that ran or run."""
    statement = select(
        PhaseRunRow.phase,
        PhaseRunRow.due_at,
        PhaseRunRow.started_at,
        PhaseRunRow.finished_at,
        PhaseRunRow.summary,
    ).where(PhaseRunRow.venue == venue, PhaseRunRow.day == day)
    return session.execute(statement).all()


def read_runs(session: Session) -> Sequence[AnyRow]:
    """Return all leased runs; staff only, because a run serves many users."""
    statement = select(
        LeaseRow.name,
        LeaseRow.kind,
        LeaseRow.queue,
        LeaseRow.holder,
        LeaseRow.fence,
        LeaseRow.is_wanted,
        LeaseRow.expires_at,
        (LeaseRow.expires_at > func.clock_timestamp()).label("is_alive"),
        LeaseRow.progress,
    ).order_by(LeaseRow.kind, LeaseRow.name)
    return session.execute(statement).all()


def read_alarms(session: Session, scope: DataScope, *, since: datetime, limit: int = 200) -> Sequence[AnyRow]:
    """Return the open alarms and those raised since a platform time, open ones first, newest first."""
    statement = (
        select(
            AlarmRow.id,
            AlarmRow.code,
            AlarmRow.subject,
            AlarmRow.message,
            AlarmRow.user_id,
            AlarmRow.raised_at,
            AlarmRow.seen,
            AlarmRow.cleared_at,
        )
        .where(
            scope.allows(AlarmRow.user_id),
            or_(AlarmRow.cleared_at.is_(None), AlarmRow.raised_at >= since),
        )
        .order_by(AlarmRow.cleared_at.is_not(None), AlarmRow.raised_at.desc(), AlarmRow.id.desc())
        .limit(limit)
    )
    return session.execute(statement).all()


def read_audit(session: Session, *, actor: str | None, before: int | None, limit: int) -> Sequence[AnyRow]:
    """Return a page of recorded acts, newest first; `actor` None means everybody's (staff only)."""
    statement = select(
        AuditRow.id,
        AuditRow.at,
        AuditRow.actor,
        AuditRow.origin,
        AuditRow.action,
        AuditRow.subject,
        AuditRow.reason,
        AuditRow.details,
    ).order_by(AuditRow.id.desc())
    if actor is not None:
        statement = statement.where(AuditRow.actor == actor)
    if before is not None:
        statement = statement.where(AuditRow.id < before)
    return session.execute(statement.limit(limit)).all()


def read_command(session: Session, scope: DataScope, command_id: int) -> AnyRow | None:
    """Return one command, or None when it is not in the scope."""
    statement = select(
        CommandRow.id,
        CommandRow.kind,
        CommandRow.actor,
        CommandRow.payload,
        CommandRow.reason,
        CommandRow.status,
        CommandRow.result,
        CommandRow.created_at,
        CommandRow.finished_at,
    ).where(CommandRow.id == command_id, scope.allows(CommandRow.user_id))
    return session.execute(statement).one_or_none()
