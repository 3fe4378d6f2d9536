"""Alarm for what may be unprotected for too long, until it is protected or gone (I5)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.db.alarms import align_alarms
from app.db.exits import exposed_legs, open_entries

MAX_UNPROTECTED = timedelta(seconds=3)


def shard_prefix(spec: Mapping[str, Any]) -> str:
    """Return how the subjects of a shard's alarms begin."""
    return f"{spec['venue']}:{spec['shard']}/{spec['of']}:"


def alarm_dangers(session: Session, spec: Mapping[str, Any], *, now: datetime, wall: datetime) -> None:
    """Compare the shard's dangers with the open alarms. Level-triggered, so that any holder may go on.

    Args:
        session: the transaction.
        spec: the shard of the exits lane.
        now: the platform's time.
        wall: the machine's time, which protection is measured in.
    """
    shard = shard_prefix(spec)
    since = wall - MAX_UNPROTECTED
    bare = {
        f"{shard}{leg.deployment_id}:{leg.instrument_id}": (
            leg.user_id,
            f"{leg.net_qty:f} {leg.instrument_id} of account {leg.account_id} has no exit at the broker",
        )
        for leg in exposed_legs(session, spec, since_before=since)
    }
    silent = {
        f"{shard}{order.client_order_id}": (
            order.user_id,
            f"account {order.account_id}: nobody says how its entry in {order.instrument_id} goes on",
        )
        for order in open_entries(session, spec, answered_before=since)
    }
    for code, dangers in (("unprotected", bare), ("entry_silent", silent)):
        align_alarms(session, code, dangers, prefix=shard, now=now)
