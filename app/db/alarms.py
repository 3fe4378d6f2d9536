"""Raise and clear alarms: what a person must look at."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import AlarmRow
from app.domain.ids import UserId

Dangers = Mapping[str, tuple[int | None, str]]
"""Subject of the alarm -> whose it is (None: for staff only), and a sentence."""

_OPEN_SUBJECTS = select(AlarmRow.subject).where(
    AlarmRow.code == bindparam("of_code"), AlarmRow.cleared_at.is_(None)
)


def raise_alarm(
    session: Session, code: str, *, subject: str, message: str, user_id: UserId | None, now: datetime
) -> bool:
    """Open an alarm, or count it as seen again; return whether it is new.

    Args:
        session: the transaction.
        code: names the rule, like "login_failed".
        subject: what it is about, like "account 12"; one alarm is open per code and subject.
        message: a sentence for a person; the newest replaces the older.
        user_id: whose data it is about; None for staff only.
        now: the platform's time.
    """
    statement = insert(AlarmRow).values(
        code=code, subject=subject, message=message, user_id=user_id, raised_at=now
    )
    seen = session.scalars(
        statement.on_conflict_do_update(
            index_elements=["code", "subject"],
            index_where=text("cleared_at IS NULL"),
            set_={"seen": AlarmRow.seen + 1, "message": message},
        ).returning(AlarmRow.seen)
    ).one()
    return seen == 1


def clear_alarm(session: Session, code: str, *, subject: str, now: datetime) -> bool:
    """Close the open alarm of a code and subject; return whether there was one."""
    statement = (
        update(AlarmRow)
        .where(AlarmRow.code == code, AlarmRow.subject == subject, AlarmRow.cleared_at.is_(None))
        .values(cleared_at=now)
        .returning(AlarmRow.id)
    )
    return session.scalars(statement).one_or_none() is not None


def open_alarm_subjects(session: Session, code: str) -> frozenset[str]:
    """Return what the open alarms of a code are about."""
    return frozenset(session.scalars(_OPEN_SUBJECTS, {"of_code": code}))


def align_alarms(
    session: Session, code: str, dangers: Dangers, *, prefix: str = "", now: datetime
) -> frozenset[str]:
    """Let these be the open alarms of a code whose subjects begin so; return the subjects of the new ones."""
    known = {subject for subject in open_alarm_subjects(session, code) if subject.startswith(prefix)}
    new = frozenset(dangers.keys() - known)
    # In one order: who lost a lease may still look beside the successor, and two would cross.
    for subject in sorted(known ^ dangers.keys()):
        if subject in known:
            clear_alarm(session, code, subject=subject, now=now)
        else:
            owner, message = dangers[subject]
            user_id = None if owner is None else UserId(owner)
            raise_alarm(session, code, subject=subject, message=message, user_id=user_id, now=now)
    return new
