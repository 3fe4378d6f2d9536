"""Commands on when positions leave: today's times, and dated settings for a broker or product."""

from datetime import date, datetime, time
from typing import Annotated

import typer

from app.cli.installation import opened
from app.cli.tables import print_table, say
from app.db.times import list_square_off_settings
from app.domain.accounts import BrokerCode
from app.domain.errors import InvalidInputError
from app.domain.instruments import InstrumentKind, Venue
from app.domain.markets import MARKETS, market_at
from app.domain.square_off import SquareOffSetting
from app.infra.calendars import load_calendar
from app.infra.clock import open_clock
from app.services.time_book import TimeBook
from app.services.times import GroupTimes, set_square_off, show_square_offs, withdraw_square_off

commands = typer.Typer(help="When positions leave, by broker, product and date.", no_args_is_help=True)

Reason = Annotated[str, typer.Option(help="Why; kept in the audit log.")]
_Wall = "HH:MM"


@commands.command("list")
def list_() -> None:
    """Show today's times of every group, and the settings that hold."""
    with opened() as home, home.database.begin() as session:
        now = open_clock(home.settings.clock_file).now()
        markets = [MARKETS[venue] for venue in home.settings.venues]
        groups = show_square_offs(session, TimeBook(load_calendar()), markets, now=now)
        rows = [row for row in list_square_off_settings(session) if row.withdrawn_at is None]
    headings = ("DAY", "VENUE", "BROKER", "PRODUCT", "ENTRIES END", "LEAVE", "BROKER CLOSES", "BY")
    print_table(headings, [_times(group) for group in groups], empty="No market trades today.")
    print_table(
        (
            "NUMBER",
            "VENUE",
            "BROKER",
            "PRODUCT",
            "FROM",
            "TO",
            "ENTRIES END",
            "LEAVE",
            "BROKER",
            "WHO",
            "WHY",
        ),
        [
            (
                row.id,
                row.venue,
                row.broker or "all",
                f"{row.product or 'all'}{' expiring' if row.is_expiring else ''}",
                row.first_day,
                row.last_day,
                row.entries_end_at,
                row.leave_at,
                row.broker_at,
                row.actor,
                row.reason,
            )
            for row in rows
        ],
        empty="No setting holds; the defaults do.",
    )


@commands.command("set")
def set_(  # noqa: PLR0913  the options of a setting
    venue: Annotated[Venue, typer.Option(help="The venue.")],
    leave: Annotated[str, typer.Option(metavar=_Wall, help="When positions leave, by the venue's clock.")],
    reason: Reason,
    *,
    broker: Annotated[BrokerCode | None, typer.Option(help="Only this broker.")] = None,
    product: Annotated[InstrumentKind | None, typer.Option(help="Only this product.")] = None,
    expiring: Annotated[bool, typer.Option("--expiring", help="Options on their last day only.")] = False,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First trading date; today.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last trading date; no end.")
    ] = None,
    entries_end: Annotated[
        str | None, typer.Option(metavar=_Wall, help="When entries end; when positions leave.")
    ] = None,
    broker_closes: Annotated[
        str | None, typer.Option(metavar=_Wall, help="From when the broker closes by itself.")
    ] = None,
) -> None:
    """Set when a group of positions leaves; it binds at once."""
    with opened() as home, home.database.begin() as session:
        now = open_clock(home.settings.clock_file).now()
        asked = SquareOffSetting(
            venue=venue,
            broker=broker,
            product=product,
            is_expiring=expiring,
            first_day=_day(first) or market_at(venue).day_of(now),
            last_day=_day(last),
            leave_at=_time("--leave", leave),
            entries_end_at=None if entries_end is None else _time("--entries-end", entries_end),
            broker_at=None if broker_closes is None else _time("--broker-closes", broker_closes),
        )
        setting = set_square_off(session, home.actor, asked, reason=reason, now=now)
    say(f"Setting {setting.number}: positions leave at {leave} from {setting.first_day} on.")


@commands.command()
def withdraw(
    number: Annotated[int, typer.Argument(help="Which setting; see list.")], *, reason: Reason
) -> None:
    """Take a setting back; another one or the default holds again."""
    with opened() as home, home.database.begin() as session:
        now = open_clock(home.settings.clock_file).now()
        withdraw_square_off(session, home.actor, number, reason=reason, now=now)
    say(f"Setting {number} holds no longer.")


def _times(group: GroupTimes) -> tuple[object, ...]:
    zone, times = market_at(group.venue).timezone, group.times

    def wall(at: datetime | None) -> str | None:
        return None if at is None else f"{at.astimezone(zone):%H:%M:%S}"

    return (
        group.day,
        group.venue,
        group.broker,
        f"{group.product}{' expiring' if group.is_expiring else ''}",
        wall(times.entries_end_at),
        wall(times.leave_at),
        wall(times.broker_at),
        "default" if times.setting is None else f"setting {times.setting}",
    )


def _day(given: datetime | None) -> date | None:
    return None if given is None else given.date()


def _time(option: str, text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError as e:
        raise InvalidInputError(f"{option}: expected HH:MM, got {text!r}") from e
