"""Check the invariants at run time, and raise alarms where one does not hold."""

from collections.abc import Sequence
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


def audit_and_alarm(database: Database, clock: Clock, day: date) -> Sequence[Breach]:
    """Return the breaches after raising an alarm for each and clearing those that are healed."""
    breaches = audit(database, day, wall=clock.wall())
    subjects = {f"{breach.invariant} {breach.subject}": breach.message for breach in breaches}
    with database.begin() as session:
        for subject, message in subjects.items():
            raise_alarm(session, _CODE, subject=subject, message=message, user_id=None, now=clock.now())
        for healed in open_alarm_subjects(session, _CODE) - subjects.keys():
            clear_alarm(session, _CODE, subject=healed, now=clock.now())
    return breaches
