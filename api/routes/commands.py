"""Take orders of people (202) and let them follow what became of them."""

from fastapi import APIRouter

from api.deps import CallerDep, Parts, PartsDep
from api.schemas.day import Command, KillProgress, KillSwitch, Why
from app.db.views.day import read_command
from app.domain.errors import NotFoundError
from app.domain.phases import Phase
from app.services.commands import Caller, dispatch, order_phase
from app.services.kill_switch import follow_kill, follow_recent_kills, press_kill_switch
from app.services.risk_control import ControlTarget

router = APIRouter(tags=["commands"])


@router.post("/kill-switch", status_code=202)
def kill_switch(parts: PartsDep, caller: CallerDep, asked: KillSwitch) -> Command:
    """Stop (HALT flattens too), reduce, or resume; acts in the database at once, without the queue."""
    command_id = press_kill_switch(
        parts.database,
        caller.actor,
        ControlTarget(scope=asked.scope, target=asked.target),
        action=asked.action,
        reason=asked.reason,
        moment=parts.moment,
    )
    return accepted(parts, caller, command_id)


@router.get("/kill-switch")
def list_kill_switches(parts: PartsDep, caller: CallerDep) -> list[KillProgress]:
    """Return how far the last halts are that you may see: up to three of 24 hours, newest first."""
    with parts.database.begin() as session:
        kills = follow_recent_kills(session, caller.actor, wall=parts.clock.wall())
    return [KillProgress.model_validate(kill) for kill in kills]


@router.get("/kill-switch/{command_id}")
def show_kill_switch(parts: PartsDep, caller: CallerDep, command_id: int) -> KillProgress:
    """Follow a kill switch: each account that had something to close, when it was flat, or why it is not."""
    with parts.database.begin() as session:
        kill = follow_kill(session, caller.actor, command_id)
    return KillProgress.model_validate(kill)


@router.post("/phases/{phase}/trigger", status_code=202)
def trigger_phase(parts: PartsDep, caller: CallerDep, phase: Phase, asked: Why) -> Command:
    """Ask for a phase of today now; a phase that ran already does not run again."""
    with parts.database.begin() as session:
        command_id = order_phase(session, caller, phase, reason=asked.reason, moment=parts.moment())
    return accepted(parts, caller, command_id, is_for_workers=True)


@router.get("/commands/{command_id}")
def show_command(parts: PartsDep, caller: CallerDep, command_id: int) -> Command:
    """Return how far a command is."""
    with parts.database.begin() as session:
        row = read_command(session, caller.scope, command_id)
    if row is None:
        raise NotFoundError(f"expected a command of yours, there is no command:{command_id}")
    return Command.model_validate(row)


def accepted(parts: Parts, caller: Caller, command_id: int, *, is_for_workers: bool = False) -> Command:
    """Return a committed command, after sending it to the workers when they carry it out."""
    if is_for_workers:
        dispatch(parts.queue, command_id)
    return show_command(parts, caller, command_id)
