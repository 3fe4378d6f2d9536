"""Commands on windows in which nothing is entered, or before which positions must be out."""

from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from app.cli.installation import opened
from app.cli.tables import print_table, say
from app.db.times import list_blackouts
from app.domain.blackouts import DEFAULT_LEAD, Blackout, BlackoutRule
from app.domain.errors import InvalidInputError
from app.infra.clock import open_clock
from app.services.times import add_blackout, withdraw_blackout

commands = typer.Typer(help="Windows without entries, once or each week.", no_args_is_help=True)

Reason = Annotated[str, typer.Option(help="Why; kept in the audit log.")]
_FORMATS = ("%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M")


@commands.command("list")
def list_() -> None:
    """List the windows that hold."""
    with opened() as home, home.database.begin() as session:
        rows = [row for row in list_blackouts(session) if row.withdrawn_at is None]
    print_table(
        ("NUMBER", "NAME", "COVERS", "RULE", "FROM (UTC)", "TO (UTC)", "LEAD", "WEEKLY IN", "WHO", "WHY"),
        [
            (
                row.id,
                row.name,
                ",".join(row.covers),
                row.rule,
                f"{row.starts_at:%Y-%m-%d %H:%M}",
                f"{row.ends_at:%Y-%m-%d %H:%M}",
                timedelta(seconds=row.lead_s),
                row.timezone,
                row.actor,
                row.reason,
            )
            for row in rows
        ],
        empty="No window holds.",
    )


@commands.command()
def add(  # noqa: PLR0913  the options of a window
    name: Annotated[str, typer.Argument(help="What happens then.")],
    covers: Annotated[
        list[str], typer.Option("--covers", help="A currency, underlying, instrument or venue. Repeatable.")
    ],
    starts: Annotated[
        datetime, typer.Option("--from", formats=list(_FORMATS), help="Its start, by --timezone.")
    ],
    ends: Annotated[datetime, typer.Option("--to", formats=list(_FORMATS), help="Its end, by --timezone.")],
    reason: Reason,
    *,
    flat: Annotated[bool, typer.Option("--flat", help="Positions must be out before it, too.")] = False,
    weekly: Annotated[bool, typer.Option("--weekly", help="It repeats each week.")] = False,
    timezone: Annotated[str, typer.Option(help="The clock of --from and --to.")] = "UTC",
    lead: Annotated[int, typer.Option(metavar="MINUTES", help="How long before it entries end.")] = int(
        DEFAULT_LEAD.total_seconds() // 60
    ),
) -> None:
    """Add a window; it binds at once."""
    zone = _zone(timezone)
    asked = Blackout(
        name=name.strip(),
        covers=frozenset(covers),
        starts_at=starts.replace(tzinfo=zone),
        ends_at=ends.replace(tzinfo=zone),
        rule=BlackoutRule.FLAT_BEFORE if flat else BlackoutRule.NO_ENTRIES,
        lead=timedelta(minutes=lead),
        weekly_in=zone if weekly else None,
    )
    with opened() as home, home.database.begin() as session:
        blackout = add_blackout(session, home.actor, asked, reason=reason)
    say(f"Blackout {blackout.number}: {blackout.name} covers {', '.join(sorted(blackout.covers))}.")


@commands.command()
def withdraw(
    number: Annotated[int, typer.Argument(help="Which window; see list.")], *, reason: Reason
) -> None:
    """Take a window back."""
    with opened() as home, home.database.begin() as session:
        now = open_clock(home.settings.clock_file).now()
        withdraw_blackout(session, home.actor, number, reason=reason, now=now)
    say(f"Blackout {number} holds no longer.")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as e:
        raise InvalidInputError(f"--timezone: expected one such as Asia/Kolkata, got {name!r}") from e
