"""Tell which alarms a chat has not heard of yet, and whom a message of ours was about."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.models import AlarmNoticeRow, AlarmRow
from app.db.scope import DataScope
from app.domain.ids import UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAlarm:
    """Hold what a chat is told of an alarm."""

    alarm_id: int
    code: str
    subject: str
    message: str


def untold_alarms(session: Session, data: DataScope, chat: str) -> Sequence[OpenAlarm]:
    """Return the open alarms of a scope that a chat was not told of, oldest first."""
    told = select(AlarmNoticeRow.alarm_id).where(AlarmNoticeRow.chat == chat)
    statement = (
        select(AlarmRow.id, AlarmRow.code, AlarmRow.subject, AlarmRow.message)
        .where(AlarmRow.cleared_at.is_(None), data.allows(AlarmRow.user_id), AlarmRow.id.not_in(told))
        .order_by(AlarmRow.id)
    )
    return [
        OpenAlarm(alarm_id=row.id, code=row.code, subject=row.subject, message=row.message)
        for row in session.execute(statement)
    ]


def note_told(session: Session, chat: str, alarm_ids: Collection[int], *, message_id: int) -> None:
    """Record that a message told a chat of these alarms."""
    session.add_all(
        AlarmNoticeRow(alarm_id=alarm_id, chat=chat, message_id=message_id) for alarm_id in alarm_ids
    )


def owners_of_notice(session: Session, chat: str, message_id: int) -> frozenset[UserId | None]:
    """Return whose alarms a message told of, None for an alarm about nobody alone."""
    statement = (
        select(AlarmRow.user_id)
        .join(AlarmNoticeRow, AlarmNoticeRow.alarm_id == AlarmRow.id)
        .where(AlarmNoticeRow.chat == chat, AlarmNoticeRow.message_id == message_id)
    )
    return frozenset(None if user_id is None else UserId(user_id) for user_id in session.scalars(statement))
