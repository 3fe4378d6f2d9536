"""Tell where the trading day stands: its session, and each phase as scheduled, running, done or late."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy.orm import Session

from app.db.day import injected_sessions
from app.db.times import read_square_off_settings
from app.db.views.day import read_phase_runs
from app.domain.calendar import Calendar, CalendarExpiredError, TradingSession
from app.domain.instruments import Venue
from app.domain.markets import NSE
from app.domain.phases import INDIA, Phase, ScheduledPhase
from app.domain.time_bounds import TimeRules

SEGMENT = "FO"
_LATE_AFTER = timedelta(seconds=30)
_ZERO = timedelta(0)


class PhaseState(StrEnum):
    """Say how far a phase is."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    DONE = "done"
    LATE = "late"
    MISSED = "missed"


class PhaseRun(Protocol):
    """What the record of a phase that ran tells."""

    @property
    def phase(self) -> str: ...
    @property
    def due_at(self) -> datetime: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def finished_at(self) -> datetime | None: ...
    @property
    def summary(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseView:
    """Show one phase. Times are the platform's, aware UTC; `late_s` counts from due to start, or to now."""

    phase: Phase
    state: PhaseState
    due_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    late_s: int
    summary: Mapping[str, Any]


def trading_day(now: datetime) -> date:
    """Return the trading date in India at a moment."""
    return now.astimezone(INDIA).date()


def session_of(session: Session, calendar: Calendar, *, day: date) -> TradingSession | None:
    """Return the day's session, None when the market is closed or the calendar does not cover the day."""
    try:
        return calendar.with_injected(injected_sessions(session)).session(Venue.NSE, SEGMENT, day)
    except CalendarExpiredError:
        return None


def phases_of(
    session: Session, trading: TradingSession | None, *, day: date, now: datetime
) -> list[PhaseView]:
    """Return the day's phases in order, those that ran included when the schedule does not know them."""
    scheduled: Sequence[ScheduledPhase] = ()
    if trading is not None:
        settings, _ = read_square_off_settings(session, NSE.venues, day)
        scheduled = TimeRules(market=NSE, session=trading, settings=settings).schedule()
    return merge_phases(scheduled, read_phase_runs(session, venue=Venue.NSE, day=day), now=now)


def merge_phases(
    scheduled: Sequence[ScheduledPhase], runs: Sequence[PhaseRun], *, now: datetime
) -> list[PhaseView]:
    """Join what should run with what ran."""
    ran = {Phase(run.phase): run for run in runs}
    views = [_planned(plan, ran.pop(plan.phase, None), now) for plan in scheduled]
    views += [_recorded(run) for run in ran.values()]
    return sorted(views, key=lambda view: list(Phase).index(view.phase))


def _planned(plan: ScheduledPhase, run: PhaseRun | None, now: datetime) -> PhaseView:
    if run is not None:
        return _recorded(run)
    late = max(now - plan.due_at, _ZERO)
    state = PhaseState.SCHEDULED
    if now >= plan.expires_at and late > _ZERO:
        state = PhaseState.MISSED
    elif late > _LATE_AFTER:
        state = PhaseState.LATE
    return PhaseView(
        phase=plan.phase,
        state=state,
        due_at=plan.due_at,
        started_at=None,
        finished_at=None,
        late_s=int(late.total_seconds()),
        summary={},
    )


def _recorded(run: PhaseRun) -> PhaseView:
    late = max(run.started_at - run.due_at, _ZERO)
    return PhaseView(
        phase=Phase(run.phase),
        state=PhaseState.RUNNING if run.finished_at is None else PhaseState.DONE,
        due_at=run.due_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        late_s=int(late.total_seconds()),
        summary=run.summary,
    )
