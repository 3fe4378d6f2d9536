"""Check the invariants at run time, and raise alarms where one does not hold."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from app.db.alarms import clear_alarm, open_alarm_subjects, raise_alarm
from app.db.invariants import Breach, find_breaches
from app.db.session import Database
from app.domain.ports import Clock

_CODE = "invariant_broken"


def audit(database: Database, day: date, *, wall: datetime) -> Sequence[Breach]:
    """Return every breach of the invariants on a day, from one consistent look at the tables."""
    with database.begin() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        return list(find_breaches(session, day, wall=wall))


def align_alarms(database: Database, breaches: Iterable[Breach], *, now: datetime) -> None:
    """Raise an alarm for each breach and clear those of the ones that are healed. Idempotent."""
    subjects = {f"{breach.invariant} {breach.subject}": breach.message for breach in breaches}
    with database.begin() as session:
        for subject, message in sorted(subjects.items()):
            raise_alarm(session, _CODE, subject=subject, message=message, user_id=None, now=now)
        for healed in sorted(open_alarm_subjects(session, _CODE) - subjects.keys()):
            clear_alarm(session, _CODE, subject=healed, now=now)


def audit_and_alarm(
    database: Database, clock: Clock, days: Iterable[date], *, beside: Iterable[Breach] = ()
) -> Sequence[Breach]:
    """Return the breaches of these days, and those found beside, after aligning the alarms with them."""
    breaches = [breach for day in days for breach in audit(database, day, wall=clock.wall())]
    breaches += beside
    align_alarms(database, breaches, now=clock.now())
    return breaches
