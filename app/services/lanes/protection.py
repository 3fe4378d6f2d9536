"""Alarm for each leg that goes without protection for too long, until it is protected or gone (I5)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.db.alarms import clear_alarm, open_alarm_subjects, raise_alarm
from app.db.exits import exposed_legs
from app.domain.ids import UserId

MAX_UNPROTECTED = timedelta(seconds=3)
_CODE = "unprotected"


def alarm_unprotected(session: Session, spec: Mapping[str, Any], *, now: datetime, wall: datetime) -> None:
    """Compare the shard's bare legs with the open alarms. Level-triggered, so that any holder may go on.

    Args:
        session: the transaction.
        spec: the shard of the exits lane.
        now: the platform's time.
        wall: the machine's time, which protection is measured in.
    """
    shard = f"{spec['venue']}:{spec['shard']}/{spec['of']}:"
    legs = exposed_legs(session, spec, since_before=wall - MAX_UNPROTECTED)
    bare = {f"{shard}{leg.deployment_id}:{leg.instrument_id}": leg for leg in legs}
    known = {subject for subject in open_alarm_subjects(session, _CODE) if subject.startswith(shard)}
    for subject in bare.keys() - known:
        leg = bare[subject]
        message = f"{leg.net_qty:f} {leg.instrument_id} of account {leg.account_id} has no exit at the broker"
        raise_alarm(session, _CODE, subject=subject, message=message, user_id=UserId(leg.user_id), now=now)
    for subject in known - bare.keys():
        clear_alarm(session, _CODE, subject=subject, now=now)
