"""Show the trading day: summary, phases, runs, alarms, acts and health."""

from fastapi import APIRouter

from api.deps import CallerDep, PartsDep
from api.routes.accounts import Day as DayParam
from api.routes.trading import Cursor, Limit
from api.schemas.base import Page
from api.schemas.day import Alarm, AuditEntry, Health, PhaseInfo, Run, Summary
from api.summary import show_health, show_summary
from app.db.views.day import read_alarms, read_audit, read_runs
from app.services.overview import read_day
from app.services.timeline import phases_of, session_of

router = APIRouter(tags=["day"])


@router.get("/summary")
def show_day(parts: PartsDep, caller: CallerDep) -> Summary:
    """Return the day in one look."""
    with parts.database.begin() as session:
        day = read_day(session, caller.scope, parts.sources, moment=parts.moment())
    return show_summary(day, parts.settings)


@router.get("/health")
def health(parts: PartsDep, caller: CallerDep) -> Health:
    """Return the state of the machinery."""
    with parts.database.begin() as session:
        day = read_day(session, caller.scope, parts.sources, moment=parts.moment())
    return show_health(day, parts.settings)


@router.get("/phases")
def list_phases(parts: PartsDep, caller: CallerDep, day: DayParam = None) -> list[PhaseInfo]:  # noqa: ARG001  signed in
    """Return a day's phases: when they were due and how they ran."""
    moment = parts.moment()
    date = day or moment.day
    with parts.database.begin() as session:
        trading = session_of(session, parts.calendar, day=date)
        phases = phases_of(session, trading, day=date, now=moment.now)
    return [PhaseInfo.model_validate(phase) for phase in phases]


@router.get("/runs")
def list_runs(parts: PartsDep, caller: CallerDep) -> list[Run]:
    """Return the leased runs with their progress; staff only, because a run serves many users."""
    caller.require_staff("see the runs of all users")
    with parts.database.begin() as session:
        return [Run.model_validate(row) for row in read_runs(session)]


@router.get("/alarms")
def list_alarms(parts: PartsDep, caller: CallerDep) -> list[Alarm]:
    """Return the open alarms, and those of the last day that were cleared."""
    since = parts.moment().now.replace(hour=0, minute=0)
    with parts.database.begin() as session:
        return [Alarm.model_validate(row) for row in read_alarms(session, caller.scope, since=since)]


@router.get("/audit")
def list_audit(
    parts: PartsDep, caller: CallerDep, cursor: Cursor = None, limit: Limit = 100
) -> Page[AuditEntry]:
    """Return recorded acts, newest first: staff see all, traders their own."""
    actor = None if caller.is_staff else caller.name
    with parts.database.begin() as session:
        rows = read_audit(session, actor=actor, before=cursor, limit=limit)
    items = [AuditEntry.model_validate(row) for row in rows]
    return Page[AuditEntry](items=items, next_cursor=items[-1].id if len(items) == limit else None)
