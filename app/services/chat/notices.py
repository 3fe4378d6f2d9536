"""Tell people of the alarms that they may see, once each, the oldest first."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.db.notices import OpenAlarm, note_told, untold_alarms
from app.db.scope import scope_of
from app.db.session import Database
from app.services.chat.people import People

_MOST_LINES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Carry a message that is due, and the alarms that it is about."""

    chat: str
    text: str
    alarm_ids: tuple[int, ...]


class Notices:
    """Read what is due and record what was told. An alarm whose record was lost is told twice."""

    def __init__(self, database: Database, people: People) -> None:
        self._database = database
        self._people = people

    def due(self) -> list[Notice]:
        """Return one message at most for each person. Raises OperationalError."""
        found = []
        for number in self._people.numbers:
            with self._database.begin() as session:
                actor = self._people.actor(session, number)
                alarms = () if actor is None else untold_alarms(session, scope_of(actor), number)
            if alarms:
                ids = tuple(alarm.alarm_id for alarm in alarms)
                found.append(Notice(chat=number, text=_text(alarms), alarm_ids=ids))
        return found

    def told(self, notice: Notice, *, message_id: int) -> None:
        """Record that a person was told. Raises OperationalError."""
        with self._database.begin() as session:
            note_told(session, notice.chat, notice.alarm_ids, message_id=message_id)


def _text(alarms: Sequence[OpenAlarm]) -> str:
    lines = [f"{alarm.code}, {alarm.subject}: {alarm.message}" for alarm in alarms[:_MOST_LINES]]
    more = len(alarms) - _MOST_LINES
    rest = [f"and {more} more, see the dashboard"] if more > 0 else []
    return "\n".join(("Alarm" if len(alarms) == 1 else f"{len(alarms)} alarms", *lines, *rest))
