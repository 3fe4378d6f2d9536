"""Commands on trading sessions."""

from datetime import date, datetime, time
from typing import Annotated

import typer

from app.cli.installation import opened
from app.cli.tables import say
from app.domain.errors import InvalidInputError
from app.domain.instruments import Venue
from app.infra.calendars import load_calendar
from app.services.sessions import announced_session, inject_session

commands = typer.Typer(help="Trading sessions that the calendar does not know.", no_args_is_help=True)


@commands.callback()
def group() -> None:
    """Trading sessions that the calendar does not know."""


@commands.command()
def inject(
    venue: Annotated[Venue, typer.Option(help="The venue.")],
    segment: Annotated[str, typer.Option(help="The segment, like FNO.")],
    day: Annotated[datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="The venue's date.")],
    opens: Annotated[str, typer.Option("--open", metavar="HH:MM", help="Opening in the venue's own time.")],
    closes: Annotated[str, typer.Option("--close", metavar="HH:MM", help="Close in the venue's own time.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the audit log.")],
) -> None:
    """Announce a session: a special day, or a reopening after a halt. Replaces the calendar's hours."""
    trading_session = announced_session(
        load_calendar(),
        venue,
        segment,
        day=_date(day),
        hours=(_time("--open", opens), _time("--close", closes)),
        reason=reason,
    )
    with opened() as home, home.database.begin() as session:
        inject_session(session, home.actor, trading_session)
    say(f"{venue}.{segment} trades on {trading_session.date} from {opens} to {closes}.")


def _date(day: datetime) -> date:
    return day.date()


def _time(option: str, text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError as e:
        raise InvalidInputError(f"{option}: expected HH:MM, got {text!r}") from e
