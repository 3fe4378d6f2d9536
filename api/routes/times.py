"""Show and set when positions leave and when nothing is entered. Everybody sees, administrators set."""

from fastapi import APIRouter

from api.deps import CallerDep, PartsDep
from api.schemas.times import (
    BlackoutRow,
    Departure,
    GroupTimes,
    NewBlackout,
    NewSquareOff,
    Numbered,
    SquareOffRow,
    SquareOffs,
    Withdrawal,
)
from app.db.times import list_blackouts, list_square_off_settings
from app.domain.markets import MARKETS
from app.services.time_book import TimeBook
from app.services.times import (
    add_blackout,
    set_square_off,
    show_departures,
    show_square_offs,
    withdraw_blackout,
    withdraw_square_off,
)

router = APIRouter(tags=["times"])


@router.get("/square-offs")
def list_square_offs(parts: PartsDep, caller: CallerDep) -> SquareOffs:  # noqa: ARG001  signed in
    """Return when each group of positions leaves today, and what people have set."""
    markets = [MARKETS[venue] for venue in parts.settings.venues]
    with parts.database.begin() as session:
        today = show_square_offs(session, TimeBook(parts.calendar), markets, now=parts.clock.now())
        settings = list_square_off_settings(session)
    return SquareOffs(
        today=[GroupTimes.model_validate(one) for one in today],
        settings=[SquareOffRow.model_validate(row) for row in settings],
    )


@router.get("/departures")
def list_departures(parts: PartsDep, caller: CallerDep) -> list[Departure]:
    """Return the held legs: when each must be out, when the broker closes it, and how urgent that is."""
    moment = parts.moment()
    with parts.database.begin() as session:
        book = TimeBook(parts.calendar)
        legs = show_departures(session, caller.scope, book, now=moment.now, wall=moment.wall)
    return [Departure.model_validate(leg) for leg in legs]


@router.post("/square-offs", status_code=201)
def add_square_off(parts: PartsDep, caller: CallerDep, asked: NewSquareOff) -> Numbered:
    """Set when a group leaves; administrators only."""
    with parts.database.begin() as session:
        setting = set_square_off(
            session, caller.actor, asked.setting(), reason=asked.reason, now=parts.clock.now()
        )
    return Numbered.model_validate(setting)


@router.post("/square-offs/{number}/withdrawal", status_code=204)
def end_square_off(parts: PartsDep, caller: CallerDep, number: int, asked: Withdrawal) -> None:
    """Take a setting back; administrators only."""
    with parts.database.begin() as session:
        withdraw_square_off(session, caller.actor, number, reason=asked.reason, now=parts.clock.now())


@router.get("/blackouts")
def list_windows(parts: PartsDep, caller: CallerDep) -> list[BlackoutRow]:  # noqa: ARG001  signed in
    """Return the windows without entries, or before which positions must be out, newest first."""
    with parts.database.begin() as session:
        rows = list_blackouts(session)
    return [BlackoutRow.model_validate(row) for row in rows]


@router.post("/blackouts", status_code=201)
def add_window(parts: PartsDep, caller: CallerDep, asked: NewBlackout) -> Numbered:
    """Add a window; administrators only."""
    with parts.database.begin() as session:
        blackout = add_blackout(session, caller.actor, asked.blackout(), reason=asked.reason)
    return Numbered.model_validate(blackout)


@router.post("/blackouts/{number}/withdrawal", status_code=204)
def end_window(parts: PartsDep, caller: CallerDep, number: int, asked: Withdrawal) -> None:
    """Take a window back; administrators only."""
    with parts.database.begin() as session:
        withdraw_blackout(session, caller.actor, number, reason=asked.reason, now=parts.clock.now())
