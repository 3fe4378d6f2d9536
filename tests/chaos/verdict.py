"""Judge a day that was broken on purpose, and write down what it cost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.chaos.bare import BareSpan, while_we_ran
from tests.chaos.driver import Struck
from tests.e2e.days import DAY, Ended

Json = dict[str, Any]
MAX_BARE_S = 3.0
_ZERO = {"orders": ("duplicates", "lost", "unknown_open"), "positions": ("mismatched", "open_at_end")}
# An entry that was wished after an exit was asked for, and left before any step of that exit.
_OVERTAKEN = text("""
WITH exits AS (
  SELECT l.account_id, l.instrument_id, l.exit_requested_wall AS asked,
         (SELECT min(e.wall) FROM order_events e JOIN orders o ON o.id = e.order_id
           WHERE o.deployment_id = l.deployment_id AND o.instrument_id = l.instrument_id AND o.day = l.day
             AND o.role <> 'ENTRY' AND e.wall >= l.exit_requested_wall
             AND e.kind IN ('SUBMITTED', 'UPDATE_REQUESTED', 'CANCEL_REQUESTED', 'FILLED', 'CANCELED')
         ) AS left_at
    FROM legs l WHERE l.day = :day AND l.exit_requested_wall IS NOT NULL)
SELECT DISTINCT x.account_id, x.instrument_id, x.asked, x.left_at
  FROM exits x JOIN orders n ON n.account_id = x.account_id AND n.role = 'ENTRY' AND n.created_at > x.asked
  JOIN order_events s ON s.order_id = n.id AND s.kind = 'SUBMITTED' AND s.wall < x.left_at
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What the day's own database says beyond the report: what waited, bare legs, late writes."""

    overtaken: Sequence[str]
    late: Sequence[str]
    stale: Sequence[str]
    bare: Sequence[BareSpan]


def exits_overtaken(session: Session, struck: Sequence[Struck]) -> list[str]:
    """Return exits that waited while a later entry of their account left, and no fault explains it."""
    felt = [(s.began, s.ended) for s in struck if s.began is not None and s.ended is not None]
    found = session.execute(_OVERTAKEN, {"day": DAY}).all()
    return [
        f"account {row.account_id} {row.instrument_id}: asked {row.asked}, left {row.left_at}"
        for row in found
        if not any(began <= row.left_at and row.asked <= ended for began, ended in felt)
    ]


def record(day: Ended, struck: Sequence[Struck], noted: Noted, *, seed: int) -> Json:
    """Return what a run proved, for the page and for whoever reads the numbers."""
    played = [one for one in struck if not one.missed]
    kinds = Counter(one.fault.name for one in played)
    orders = day.report["orders"]
    return {
        "seed": seed,
        "accounts": day.report["accounts"],
        "took_s": day.report["took_s"],
        "orders": {k: orders[k] for k in ("intents", "sent", "accepted", "filled", "denied", "rejected")},
        "unknown_seen": orders["unknown_seen"],
        **{name: day.report[part][name] for part, names in _ZERO.items() for name in names},
        "exits_behind_entries": len(noted.overtaken),
        "entries_late": len(noted.late),
        "writes_without_a_lease": len(noted.stale),
        "unprotected_max_s": _longest(while_we_ran(noted.bare, struck)),
        "unprotected_in_power_cut_s": _longest(noted.bare),
        "restarts": sum(day.report["restarts"].values()),
        "played": len(played),
        "by_broker_itself": day.report["faults"]["injected"],
        "kinds": {name: _kind(name, played, kinds[name]) for name in sorted(kinds)},
        "missed": dict(Counter(f"{one.fault.kind}: {one.missed}" for one in struck if one.missed)),
        "reasons": failures(day, struck, noted),
    }


def _longest(spans: Sequence[BareSpan]) -> float:
    return round(max((span.seconds for span in spans), default=0.0), 3)


def bare_too_long(struck: Sequence[Struck], noted: Noted) -> list[str]:
    """Return in words what was without a stop for longer than I5 allows although something of ours ran."""
    return [
        f"without a stop: {span}" for span in while_we_ran(noted.bare, struck) if span.seconds > MAX_BARE_S
    ]


def too_late(noted: Noted) -> list[str]:
    """Return in words the entries that left late."""
    return [f"late: {what}" for what in noted.late]


def failures(day: Ended, struck: Sequence[Struck], noted: Noted) -> list[str]:
    """Return in words everything that must not be; empty when the day held."""
    found = [str(reason) for reason in day.report["reasons"]]
    found += [
        f"{name} is {day.report[part][name]}, not 0"
        for part, names in _ZERO.items()
        for name in names
        if day.report[part][name]
    ]
    found += [f"exit behind an entry: {what}" for what in noted.overtaken]
    found += [f"without a lease: {what}" for what in noted.stale]
    found += [
        f"not recovered: {one.fault.kind} ({one.fault.target})" for one in struck if not one.is_recovered
    ]
    return found


def _kind(name: str, played: Sequence[Struck], count: int) -> Mapping[str, Any]:
    seconds = sorted(
        one.recovery_s for one in played if one.fault.name == name and one.recovery_s is not None
    )
    return {
        "played": count,
        "recovery_p50_s": seconds[len(seconds) // 2] if seconds else None,
        "recovery_max_s": seconds[-1] if seconds else None,
    }


def stamp(at: datetime) -> str:
    """Return a run's moment, for the page."""
    return at.strftime("%Y-%m-%d %H:%M UTC")
