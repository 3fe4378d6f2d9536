"""Tell what is under way right now, in one query, for drivers that must not outrun the platform."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.orm import Session

# A stop that rests at the venue may rest for hours; everything else that has not ended is under way.
_FLIGHT = text("""
SELECT
  (SELECT coalesce(json_object_agg(id, role || ' ' || status), '{}'::json)
     FROM orders
    WHERE day = :day
      AND (is_unknown OR (status NOT IN ('DENIED', 'FILLED', 'CANCELED', 'REJECTED', 'EXPIRED')
                          AND NOT (role = 'STOP' AND status = 'ACCEPTED')))) AS orders,
  (SELECT coalesce(json_object_agg(deployment_id || ' ' || instrument_id,
                                   CASE WHEN exit_reason IS NULL THEN 'without stop'
                                        ELSE 'leaving: ' || exit_reason END), '{}'::json)
     FROM legs
    WHERE day = :day AND net_qty <> 0 AND (exposed_since IS NOT NULL OR exit_reason IS NOT NULL)) AS legs,
  (SELECT coalesce(json_object_agg(account_id, status), '{}'::json)
     FROM logins
    WHERE day = :day
      AND (status = 'LOGGING_IN'
           OR (status IN ('PENDING', 'FAILED') AND coalesce(next_try_at, :now) <= :now))) AS logins,
  (SELECT coalesce(json_agg(venue || ':' || phase), '[]'::json)
     FROM phase_runs WHERE day = :day AND finished_at IS NOT NULL) AS phases,
  (SELECT coalesce(json_object_agg(name, spec ->> 'venue'), '{}'::json)
     FROM leases WHERE kind = 'loops' AND is_wanted) AS loops,
  (SELECT coalesce(json_object_agg(name, spec ->> 'venue'), '{}'::json)
     FROM leases WHERE kind = 'risk' AND is_wanted) AS watches,
  (SELECT coalesce(json_agg(name), '[]'::json)
     FROM leases WHERE is_wanted AND expires_at < clock_timestamp()) AS idle_runs,
  (SELECT count(*) FROM logins WHERE day = :day AND status = 'READY') AS ready,
  (SELECT coalesce(sum(filled_qty), 0) FROM orders WHERE day = :day) AS filled
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """Hold what is under way, by id, each with a few words about it."""

    orders: Mapping[str, str]
    legs: Mapping[str, str]
    """Positions that lack their stop or shall be flat."""
    logins: Mapping[str, str]
    """Accounts that are logging in or should be tried now."""
    finished_phases: frozenset[str]
    """Each with its venue, like "NSE:BELL"."""
    loops: Mapping[str, str]
    """Venue by the name of the run."""
    watches: Mapping[str, str]
    """The same of the risk watches."""
    idle_runs: tuple[str, ...]
    """Runs that should live and that nobody holds."""
    ready: int
    filled_qty: Decimal
    """Units of all markets together."""


def in_flight(session: Session, day: date, *, now: datetime) -> Flight:
    """Return what is under way on a day; `now` is the platform's time."""
    row = session.execute(_FLIGHT, {"day": day, "now": now}).one()
    return Flight(
        orders=row.orders,
        legs=row.legs,
        logins=row.logins,
        finished_phases=frozenset(row.phases),
        loops=dict(sorted(row.loops.items())),
        watches=dict(sorted(row.watches.items())),
        idle_runs=tuple(sorted(row.idle_runs)),
        ready=int(row.ready),
        filled_qty=row.filled,
    )
