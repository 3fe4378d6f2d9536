"""Tell of each fault what was seen and how it ended. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from app.db.outcomes import AlarmOutcome, LegOutcome, OrderOutcome
from app.demo.fault_cases import CASES
from app.demo.fault_desk import Seen
from app.domain.orders import OrderStatus

Json = dict[str, Any]


def fault_rows(
    seen: Sequence[Seen],
    *,
    orders: Sequence[OrderOutcome],
    legs: Sequence[LegOutcome],
    alarms: Sequence[AlarmOutcome],
) -> list[Json]:
    """Return a row for each fault that was played, and for each that the platform cannot meet."""
    rows = [_row(one, orders=orders, legs=legs, alarms=alarms) for one in seen]
    rows += [
        {"fault": case.number, "what": case.what, "ended": f"not played: {case.unreachable}"}
        for case in CASES
        if case.unreachable and seen
    ]
    return sorted(rows, key=lambda row: int(row["fault"]))


def never_struck(seen: Sequence[Seen]) -> list[str]:
    """Return the faults that were played and hit nothing: what they prove is nothing."""
    return [f"{s.window.case.number} ({s.window.case.what})" for s in seen if not any(s.injected.values())]


def _row(
    seen: Seen,
    *,
    orders: Sequence[OrderOutcome],
    legs: Sequence[LegOutcome],
    alarms: Sequence[AlarmOutcome],
) -> Json:
    window = seen.window
    mine = [order for order in orders if order.deployment == window.case.name]
    its_legs = [leg for leg in legs if leg.deployment == window.case.name]
    raised = [a.code for a in alarms if window.begins <= a.raised_at < window.counts_until]
    return {
        "fault": window.case.number,
        "what": window.case.what,
        "from": window.begins.isoformat(),
        "to": window.ends.isoformat(),
        "seen": {venue.value: dict(sorted(kinds.items())) for venue, kinds in sorted(seen.injected.items())},
        "orders": dict(sorted(Counter(f"{o.role} {o.status}" for o in mine).items())),
        "unknown_seen": sum(order.was_unknown for order in mine),
        "unprotected_max_s": round(max((leg.unprotected_max_ms for leg in its_legs), default=0) / 1000, 3),
        "alarms": dict(sorted(Counter(raised).items())),
        "ended": _ending(mine, its_legs),
    }


def _ending(orders: Sequence[OrderOutcome], legs: Sequence[LegOutcome]) -> str:
    unknown = [order for order in orders if order.was_unknown]
    found = sum(order.broker_order_id is not None for order in unknown)
    open_ = sum(order.is_unknown for order in unknown)
    held = sum(leg.net_qty != 0 for leg in legs)
    words = [f"{sum(o.status == OrderStatus.FILLED for o in orders)} of {len(orders)} orders filled"]
    if unknown:
        words.append(f"{found} unknown found at the broker, {len(unknown) - found - open_} proven absent")
    if open_:
        words.append(f"{open_} still unknown")
    words.append(f"{held} positions still held" if held else "flat")
    return ", ".join(words)
