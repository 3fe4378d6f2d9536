"""Gather the evidence at the end of the day and write it down."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from app.db.outcomes import (
    AlarmOutcome,
    OrderOutcome,
    alarms_raised,
    claimed,
    halts,
    leg_outcomes,
    lock_outcomes,
    login_outcomes,
    order_outcomes,
    phase_outcomes,
    signal_outcomes,
    traded,
)
from app.db.scope import DataScope
from app.db.views.trading import read_legs
from app.demo.evidence import Comparison, compare
from app.demo.governor import Record
from app.demo.journal import write_journal
from app.demo.kill import kills_of
from app.demo.report import Day, write_report
from app.demo.stage import Stage
from app.infra.charge_tables import load_charges
from app.services.audit import audit
from app.services.costs import Costs
from app.services.pnl import PnlSum, add_up, value_legs
from app.services.reconciliation import EXTERNAL_ORDER


def close_day(stage: Stage, record: Record, *, took_s: float) -> dict[str, Any]:
    """Compare the books, write report and journal where asked, and return the report."""
    day = stage.options.day
    kills = kills_of(stage)
    findings = audit(stage.database, day, wall=stage.house.clock.wall())
    with stage.database.begin() as session:
        orders = order_outcomes(session, day)
        signals = signal_outcomes(session, day)
        alarms = alarms_raised(session)
        evidence = Day(
            options=stage.options,
            people=stage.people,
            opened_at=stage.timeline.session.open_at,
            orders=orders,
            legs=leg_outcomes(session, day),
            pnl=_pnl(session, day),
            logins=login_outcomes(session, day),
            phases=phase_outcomes(session, day),
            signals=signals,
            halts=halts(session),
            locks=lock_outcomes(session, day),
            alarms=alarms,
            comparison=_compare(
                stage, orders, traded(session, day), alarms=alarms, closed_for_us=claimed(session, day)
            ),
            placements=[row for market in stage.markets.values() for row in market.simulator.placements()],
            faults=_faults(stage),
            kills=kills,
            fault_windows=stage.faults.seen,
            governor=record,
            restarts=_restarts(stage),
            breaches=[f"{f.invariant} {f.subject}: {f.message}" for f in findings],
            took_s=took_s,
        )
    report = write_report(evidence)
    if stage.options.report is not None:
        stage.options.report.write_text(json.dumps(report, indent=1, default=str) + "\n", encoding="utf-8")
    if stage.options.journal is not None:
        write_journal(stage.options.journal, signals, orders)
    return report


def _compare(
    stage: Stage,
    orders: list[OrderOutcome],
    totals: Mapping[Any, Any],
    *,
    alarms: Sequence[AlarmOutcome],
    closed_for_us: Mapping[Any, Any],
) -> Comparison:
    clients = {int(account_id): person.client for account_id, person in stage.people.items()}
    simulators = [market.simulator for market in stage.markets.values()]
    return compare(
        orders,
        totals,
        orders=[row for simulator in simulators for row in simulator.orders()],
        positions=[row for simulator in simulators for row in simulator.positions()],
        clients=clients,
        claimed=closed_for_us,
        noticed={_by_hand(alarm, clients) for alarm in alarms if alarm.code == EXTERNAL_ORDER},
    )


def _pnl(session: Session, day: date) -> list[PnlSum]:
    """Return the day's sums; what is still open has no mark here and is counted as such."""
    everybody = DataScope(user_id=None)
    charges = Costs(load_charges()).of_day(session, everybody, day=day)
    return add_up(value_legs(read_legs(session, everybody, day=day), {}, charges))


def _by_hand(alarm: AlarmOutcome, clients: Mapping[int, str]) -> tuple[str, str]:
    _account, account_id, number = alarm.subject.split(":", 2)
    return clients[int(account_id)], number


def _faults(stage: Stage) -> dict[str, Any]:
    found = [market.simulator.faults() for market in stage.markets.values()]
    by_kind: dict[str, int] = {}
    for one in found:
        for kind, count in one["by_kind"].items():
            by_kind[kind] = by_kind.get(kind, 0) + count
    return {"injected": sum(one["injected"] for one in found), "by_kind": by_kind}


def _restarts(stage: Stage) -> dict[str, int]:
    counts = {status.name: status.restarts for status in stage.group.status()}
    return {**counts, "engines": stage.house.watch.restarts}
