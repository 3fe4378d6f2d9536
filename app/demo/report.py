"""Write the report of the day: counts, real latencies, and a verdict with its reasons. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.db.outcomes import (
    AlarmOutcome,
    Halt,
    LegOutcome,
    LockOutcome,
    LoginOutcomeRow,
    OrderOutcome,
    PhaseOutcome,
    SignalOutcome,
)
from app.demo.evidence import Comparison
from app.demo.fault_desk import Seen
from app.demo.fault_rows import fault_rows, never_struck
from app.demo.governor import Record
from app.demo.kill import kill_row
from app.demo.options import DemoOptions
from app.demo.population import Person
from app.domain.accounts import LoginStatus
from app.domain.charges import round_for_report
from app.domain.ids import AccountId
from app.domain.numbers import plain
from app.domain.orders import OrderRole, OrderStatus
from app.domain.phases import Phase
from app.domain.time_bounds import LeaveCause
from app.services.kill_switch import Kill
from app.services.pnl import PnlSum

_EXAMPLES = 5
_SQUARE_OFFS = (LeaveCause.SQUARE_OFF, LeaveCause.EXPIRY)
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Hold everything that the report is made from."""

    options: DemoOptions
    people: Mapping[AccountId, Person]
    """By account."""
    opened_at: datetime
    orders: Sequence[OrderOutcome]
    legs: Sequence[LegOutcome]
    pnl: Sequence[PnlSum]
    """Profit and loss per currency, before and after charges."""
    logins: Sequence[LoginOutcomeRow]
    phases: Sequence[PhaseOutcome]
    signals: Sequence[SignalOutcome]
    halts: Sequence[Halt]
    locks: Sequence[LockOutcome]
    alarms: Sequence[AlarmOutcome]
    comparison: Comparison
    kills: Sequence[Kill]
    """Kill switches that were pressed."""
    placements: Sequence[Mapping[str, Any]]
    """Requests for new orders as the simulator saw them, in order of arrival."""
    faults: Mapping[str, Any]
    fault_windows: Sequence[Seen]
    """Faults that were played one at a time."""
    governor: Record
    restarts: Mapping[str, int]
    breaches: Sequence[str]
    """What the auditor found."""
    took_s: float


def write_report(day: Day) -> Json:
    """Return the report as design 7 names its fields, with more beside them."""
    reasons = _reasons(day)
    return {
        "accounts": len(day.people),
        "seed": day.options.seed,
        "speed": day.options.speed,
        "date": day.options.day.isoformat(),
        "took_s": round(day.took_s, 1),
        "faults": {
            "profile": day.options.faults,
            "injected": day.faults.get("injected", 0),
            "by_kind": day.faults.get("by_kind", {}),
            "one_at_a_time": fault_rows(
                day.fault_windows, orders=day.orders, legs=day.legs, alarms=day.alarms
            ),
        },
        "logins": _logins(day),
        "bell": _bell(day),
        "orders": _orders(day),
        "positions": _positions(day),
        "risk": _risk(day),
        "kills": [kill_row(kill) for kill in day.kills],
        "signals": {
            "emitted": len(day.signals),
            "expired": sum(signal.is_expired for signal in day.signals),
            "by_deployment": _count(signal.deployment for signal in day.signals),
        },
        "verdict": "failed" if reasons else "ok",
        "reasons": reasons,
        "pnl": {one.currency: _pnl(one) for one in day.pnl},
        "alarms": [{"what": f"{a.code} ({a.subject})", "why": a.message} for a in day.alarms],
        "phases": [_phase(phase) for phase in day.phases],
        **_driving(day),
    }


def _pnl(pnl: PnlSum) -> Json:
    """Return one currency as the report of a day shows it: rounded once, from exact sums."""

    def rounded(amount: Decimal) -> str:
        return f"{round_for_report(amount, pnl.currency):f}"

    return {
        "gross": rounded(pnl.total),
        "charges": rounded(pnl.charges),
        "net": rounded(pnl.net),
        "realized": rounded(pnl.realized),
        "unrealized": rounded(pnl.unrealized),
        "by_charge": {charge: rounded(amount) for charge, amount in pnl.lines.items()},
        "basis": pnl.basis,
        "rates_unconfirmed": list(pnl.unconfirmed),
        "orders_without_rates": pnl.uncharged,
        "positions_without_mark": pnl.unmarked,
    }


def _risk(day: Day) -> Json:
    return {
        "stops": sum(leg.is_stopped for leg in day.legs),
        "halts": len(day.halts),
        "halted": [{"what": halt.what, "why": halt.reason} for halt in day.halts],
        "square_offs": sum(leg.exit_reason in _SQUARE_OFFS for leg in day.legs),
        "locks": [_lock(lock) for lock in day.locks],
    }


def _lock(lock: LockOutcome) -> Json:
    return {
        "what": lock.what,
        "rule": lock.rule,
        "limit": _amount(lock.limit),
        "value": _amount(lock.value),
        "currency": lock.currency,
        "formula": lock.formula,
        "breached_at": lock.breached_at.isoformat(),
        "flat_at": None if lock.flat_at is None else lock.flat_at.isoformat(),
        "breach_to_flat_s": None if lock.flat_s is None else float(lock.flat_s),
        "flat_value": None if lock.flat_value is None else _amount(lock.flat_value),
        "entries_after": lock.entries_after,
        "unlocked_by": lock.unlocked_by,
    }


def _amount(value: Decimal) -> str:
    return f"{plain(value):f}"


def _driving(day: Day) -> Json:
    governor = day.governor
    return {
        "waits": {kind: round(seconds, 1) for kind, seconds in sorted(governor.waited_s.items())},
        "governor": {
            "steps": governor.steps,
            "jumps": governor.jumps,
            "gave_up": [dict(entry) for entry in governor.gave_up],
        },
        "restarts": {name: count for name, count in day.restarts.items() if count},
    }


def _logins(day: Day) -> Json:
    ready = [row for row in day.logins if row.status == LoginStatus.READY]
    took = sorted(row.took_ms for row in ready if row.took_ms is not None)
    late = [row for row in ready if row.finished_at is not None and row.finished_at > day.opened_at]
    return {
        "ok": len(ready),
        "failed": len(day.logins) - len(ready),
        "late": len(late),
        "p50_ms": _at(took, 0.5),
        "p99_ms": _at(took, 0.99),
        "not_ready": [
            {
                "user": row.user,
                "reason": row.reason,
                "detail": row.detail,
                "attempts": row.attempts,
                "expected": day.people[AccountId(row.account_id)].breakage,
            }
            for row in day.logins
            if row.status != LoginStatus.READY
        ],
    }


def _bell(day: Day) -> Json:
    tags = {
        order.client_order_id
        for order in day.orders
        if order.role == OrderRole.ENTRY and order.deployment == "bell-straddle"
    }
    first: dict[str, float] = {}
    for seen in day.placements:
        if seen["tag"] in tags:
            first.setdefault(seen["tag"], seen["real"])
    rang = day.governor.rang_at
    delays = [] if rang is None else sorted((at - rang.timestamp()) * 1000 for at in first.values())
    return {
        "orders": len(delays),
        "first_ms": round(delays[0], 1) if delays else None,
        "p50_ms": _at(delays, 0.5),
        "p99_ms": _at(delays, 0.99),
    }


def _orders(day: Day) -> Json:
    orders = day.orders
    return {
        "intents": len(orders),
        "denied": sum(order.status == OrderStatus.DENIED for order in orders),
        "sent": sum(order.was_sent for order in orders),
        "accepted": sum(order.broker_order_id is not None for order in orders),
        "rejected": sum(order.status == OrderStatus.REJECTED for order in orders),
        "filled": sum(order.status == OrderStatus.FILLED for order in orders),
        "unknown_seen": sum(order.was_unknown for order in orders),
        "unknown_open": len(_unproven(day)),
        "duplicates": len(day.comparison.duplicates),
        "lost": len(day.comparison.lost),
        "by_hand": len(day.comparison.by_hand),
        "by_status": _count(f"{order.role} {order.status}" for order in orders),
        "denials": _count(order.denial_code for order in orders if order.denial_code),
    }


def _positions(day: Day) -> Json:
    return {
        "mismatched": len(day.comparison.mismatched),
        "open_at_end": len(day.comparison.open_at_end),
        "unprotected_max_s": round(max((leg.unprotected_max_ms for leg in day.legs), default=0) / 1000, 3),
    }


def _unproven(day: Day) -> list[OrderOutcome]:
    return [order for order in day.orders if order.is_unknown or order.status == OrderStatus.SUBMITTED]


def _reasons(day: Day) -> list[str]:
    """Return why the day was not good, in words; empty when it was."""
    comparison = day.comparison
    reasons = [
        *_some("doubled", comparison.duplicates),
        *_some("lost", comparison.lost),
        *_some("mismatched", comparison.mismatched),
        *_some("open at the end", comparison.open_at_end),
        *_some("outcome not proven", [f"order {o.client_order_id} is {o.status}" for o in _unproven(day)]),
        *_some("login failed", _unexpected_logins(day)),
        *_some(
            "exposed", [f"{leg.symbol} of account {leg.account_id}" for leg in day.legs if leg.is_exposed]
        ),
        *_some("not flat after its loss lock", [lock.what for lock in day.locks if lock.flat_at is None]),
        *_some("audit", day.breaches),
        *_some("not flat after the kill switch", _still_open(day.kills)),
        *_some("fault that hit nothing", never_struck(day.fault_windows)),
    ]
    ran = {phase.phase for phase in day.phases if phase.finished_at is not None}
    reasons += [f"phase {phase} did not run to its end" for phase in Phase if phase not in ran]
    if not any(order.status == OrderStatus.FILLED for order in day.orders):
        reasons.append("nothing was traded")
    return reasons


def _still_open(kills: Sequence[Kill]) -> list[str]:
    accounts = [account for kill in kills for account in kill.accounts]
    return [f"{a.user_name}/{a.account_name}: {a.why_not_flat}" for a in accounts if not a.is_flat]


def _unexpected_logins(day: Day) -> list[str]:
    ready = {AccountId(row.account_id): row for row in day.logins}
    found = []
    for account_id, person in day.people.items():
        row = ready.get(account_id)
        if row is None:
            found.append(f"{person.user} was not enrolled")
        elif row.status != LoginStatus.READY and person.breakage is None:
            found.append(f"{person.user}: {row.status} {row.reason} {row.detail}")
    return found


def _some(what: str, sentences: Sequence[str]) -> list[str]:
    shown = [f"{what}: {sentence}" for sentence in sentences[:_EXAMPLES]]
    more = len(sentences) - len(shown)
    return [*shown, f"{what}: {more} more"] if more > 0 else shown


def _phase(phase: PhaseOutcome) -> Json:
    return {
        "phase": phase.phase,
        "due_at": phase.due_at.isoformat(),
        "late_s": round((phase.started_at - phase.due_at).total_seconds(), 2),
        "finished": phase.finished_at is not None,
        "summary": dict(phase.summary),
    }


def _count(values: Any) -> dict[str, int]:  # noqa: ANN401  any iterable of strings
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return dict(sorted(counts.items()))


def _at(ordered: Sequence[float], share: float) -> float | None:
    """Return the value below which a share of the sorted values lies (nearest rank)."""
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1)
