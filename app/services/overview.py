"""Judge the day in one look: healthy, or what needs a person and why."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import redis
from sqlalchemy.orm import Session

from app.db.scope import DataScope
from app.db.views import AnyRow
from app.db.views.accounts import read_accounts, read_deployments, read_logins
from app.db.views.day import read_alarms, read_runs
from app.db.views.trading import count_orders, read_legs
from app.domain.accounts import BrokerCode, LoginStatus, TradingState, strictest
from app.domain.breaker import Breaker, BreakerState, EndpointClass
from app.domain.calendar import Calendar, TradingSession
from app.domain.charges import ChargeSum
from app.domain.deployments import DeploymentState
from app.domain.instruments import Venue
from app.domain.orders import OrderStatus
from app.infra.live_state import Heartbeats, LiveState
from app.services.breakers import failing_message
from app.services.costs import Costs, LegId
from app.services.pnl import LegPnl, PnlSum, add_up, value_legs
from app.services.risk_control import Moment
from app.services.timeline import PhaseState, PhaseView, phases_of, session_of

_MAX_UNPROTECTED_S = 3.0  # I5
_FEED_SILENT_S = 10.0
_PROCESS_SILENT_S = 30.0


class Severity(StrEnum):
    """Say how urgent a finding is; the worst one is the day's verdict."""

    OK = "ok"
    ATTENTION = "attention"
    TROUBLE = "trouble"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Name one thing that a person should look at, in a sentence."""

    severity: Severity
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Hold what was read about one day, for one caller's scope."""

    moment: Moment
    session: TradingSession | None
    phases: Sequence[PhaseView]
    accounts: Sequence[AnyRow]
    logins: Sequence[AnyRow]
    deployments: Sequence[AnyRow]
    runs: Sequence[AnyRow]
    order_counts: Sequence[AnyRow]
    legs: Sequence[AnyRow]
    open_alarms: int
    heartbeats: Heartbeats | None
    """None while Valkey cannot be reached."""
    marks: dict[str, Any] = field(default_factory=dict)
    breakers: Mapping[tuple[BrokerCode, EndpointClass], Breaker] = field(default_factory=dict)
    charges: Mapping[LegId, ChargeSum] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether the market trades now."""
        return self.session is not None and self.session.contains(self.moment.now)

    def valued_legs(self) -> list[LegPnl]:
        """Value every leg with the last marks."""
        return value_legs(self.legs, self.marks, self.charges)

    def pnl(self) -> list[PnlSum]:
        """Return the sums of all legs in the scope, one per currency."""
        return add_up(self.valued_legs())

    def logins_in(self, *statuses: LoginStatus) -> int:
        """Count the accounts whose login is in one of the states."""
        return sum(row.status in statuses for row in self.logins)

    def orders_in(self, *statuses: OrderStatus) -> int:
        """Count the orders in one of the states."""
        return sum(row.n for row in self.order_counts if row.status in statuses)

    def unknown_orders(self) -> int:
        """Count the orders whose outcome is not proven."""
        return sum(row.n for row in self.order_counts if row.is_unknown)

    def unprotected_legs(self) -> int:
        """Count the open legs that have had no stop for longer than I5 allows."""
        return sum(
            leg.net_qty != 0
            and leg.exposed_since is not None
            and (self.moment.wall - leg.exposed_since).total_seconds() > _MAX_UNPROTECTED_S
            for leg in self.legs
        )

    def accounts_in(self, state: TradingState) -> int:
        """Count the accounts whose own or user's trading state comes to this."""
        return sum(
            strictest(TradingState(row.trading_state), TradingState(row.user_trading_state)) is state
            for row in self.accounts
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Hold what a day is read from besides the tables."""

    live: LiveState
    calendar: Calendar
    costs: Costs


def read_day(session: Session, scope: DataScope, sources: Sources, *, moment: Moment) -> Day:
    """Read everything that the verdict rests on; Valkey may be away."""
    trading = session_of(session, sources.calendar, day=moment.day)
    legs = read_legs(session, scope, day=moment.day)
    heartbeats, marks, breakers = _live(sources.live, (leg.instrument_id for leg in legs if leg.net_qty != 0))
    start = moment.now if trading is None else trading.open_at
    alarms = read_alarms(session, scope, since=start)
    return Day(
        moment=moment,
        session=trading,
        phases=phases_of(session, trading, day=moment.day, now=moment.now),
        accounts=read_accounts(session, scope, now=moment.now),
        logins=read_logins(session, scope, day=moment.day),
        deployments=read_deployments(session, scope, now=moment.now),
        runs=read_runs(session) if scope.user_id is None else (),
        order_counts=count_orders(session, scope, day=moment.day),
        legs=legs,
        open_alarms=sum(alarm.cleared_at is None for alarm in alarms),
        heartbeats=heartbeats,
        marks=marks,
        breakers=breakers,
        charges=sources.costs.of_day(session, scope, day=moment.day),
    )


def _live(
    live: LiveState, instruments: Iterable[str]
) -> tuple[Heartbeats | None, dict[str, Any], Mapping[tuple[BrokerCode, EndpointClass], Breaker]]:
    try:
        return live.heartbeats(venue=Venue.NSE), dict(live.marks(instruments)), live.breakers()
    except redis.RedisError:
        return None, {}, {}  # shown as a finding: the page must work while Valkey is away


def age_s(wall: float | None, now: datetime) -> float | None:
    """Return how many real seconds ago a process spoke; None when it never did."""
    return None if wall is None else max(0.0, round(now.timestamp() - wall, 1))


def findings(day: Day) -> list[Finding]:
    """Return what needs a person, the worst first."""
    found = [
        *_engine_findings(day),
        *_breaker_findings(day),
        *_phase_findings(day),
        *_trading_findings(day),
        *_account_findings(day),
    ]
    return sorted(found, key=lambda finding: finding.severity is not Severity.TROUBLE)


def verdict(found: Sequence[Finding]) -> Severity:
    """Return the worst severity."""
    worst = list(Severity)
    return max((finding.severity for finding in found), key=worst.index, default=Severity.OK)


def _engine_findings(day: Day) -> Iterable[Finding]:
    beats = day.heartbeats
    if beats is None:
        yield _trouble("valkey_down", "Valkey cannot be reached: no prices, no jobs; orders and exits wait.")
        return
    wall = day.moment.wall
    feed_age = age_s(beats.feed_wall, wall)
    if day.is_open and (feed_age is None or feed_age > _FEED_SILENT_S):
        since = "since the start" if feed_age is None else f"for {feed_age:.0f} s"
        yield _trouble("feed_silent", f"The price feed has been silent {since} while the market is open.")
    beat_age = age_s(beats.beat_wall, wall)
    if beat_age is not None and beat_age > _PROCESS_SILENT_S:
        yield _trouble("beat_silent", f"The scheduler has not ticked for {beat_age:.0f} s.")
    silent = [name for name, at in beats.workers.items() if wall.timestamp() - at > _PROCESS_SILENT_S]
    if silent:
        yield _trouble("worker_silent", f"Workers not heard of for 30 s: {', '.join(sorted(silent))}.")
    dead = [run.name for run in day.runs if run.is_wanted and not run.is_alive]
    if dead:
        yield _trouble("run_dead", f"Runs without a holder: {', '.join(dead)}.")


def _breaker_findings(day: Day) -> Iterable[Finding]:
    for (broker, endpoints), breaker in day.breakers.items():
        if breaker.state is not BreakerState.CLOSED:
            yield _trouble("breaker_open", failing_message(broker, endpoints))


def _phase_findings(day: Day) -> Iterable[Finding]:
    for phase in day.phases:
        if phase.state is PhaseState.LATE:
            yield _trouble("phase_late", f"{phase.phase} is {phase.late_s} s late and has not started.")
        if phase.state is PhaseState.MISSED:
            yield _trouble("phase_missed", f"{phase.phase} did not run in its time.")


def _trading_findings(day: Day) -> Iterable[Finding]:
    if (unprotected := day.unprotected_legs()) > 0:
        yield _trouble("unprotected", f"{unprotected} open position(s) have no stop for more than 3 s.")
    if (unknown := day.unknown_orders()) > 0:
        yield _attention("orders_unknown", f"{unknown} order(s) have no proven outcome yet.")
    if day.open_alarms > 0:
        yield _attention("alarms", f"{day.open_alarms} open alarm(s).")
    halted = sum(row.state == DeploymentState.HALTED for row in day.deployments)
    if halted:
        yield _attention("deployments_halted", f"{halted} deployment(s) are halted.")


def _account_findings(day: Day) -> Iterable[Finding]:
    if (failed := day.logins_in(LoginStatus.FAILED)) > 0:
        yield _attention("logins_failed", f"{failed} of {len(day.logins)} accounts could not log in.")
    for state in (TradingState.HALTED, TradingState.REDUCING):
        if (stopped := day.accounts_in(state)) > 0:
            yield _attention(f"accounts_{state.lower()}", f"{stopped} account(s) are {state}.")


def _trouble(code: str, message: str) -> Finding:
    return Finding(severity=Severity.TROUBLE, code=code, message=message)


def _attention(code: str, message: str) -> Finding:
    return Finding(severity=Severity.ATTENTION, code=code, message=message)
