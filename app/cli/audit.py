"""The command that checks every invariant now."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from app.cli.installation import opened
from app.cli.tables import print_table
from app.infra.clock import open_clock
from app.services.audit import audit as find_breaches

commands = typer.Typer()

_INDIA = ZoneInfo("Asia/Kolkata")
_EXIT_BROKEN = 1


@commands.command()
def audit(
    *,
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="Trading day; today when left out."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Check every invariant of the design on a day's records; status 1 when one does not hold."""
    with opened() as home:
        clock = open_clock(home.settings.clock_file)
        on = clock.now().astimezone(_INDIA).date() if day is None else day.date()
        breaches = find_breaches(home.database, on, wall=clock.wall())
    if as_json:
        found = [asdict(breach) for breach in breaches]
        typer.echo(json.dumps({"date": on.isoformat(), "is_sound": not found, "breaches": found}, indent=1))
    else:
        rows = [(breach.invariant, breach.subject, breach.message) for breach in breaches]
        print_table(("invariant", "subject", "breach"), rows, empty=f"Every invariant holds on {on}.")
    if breaches:
        raise typer.Exit(_EXIT_BROKEN)
