"""Commands on families: users whose accounts are limited and stopped together."""

from typing import Annotated

import typer

from app.cli.installation import opened
from app.cli.tables import print_table, say
from app.infra.clock import open_clock
from app.services.families import (
    create_family,
    get_family_by_name,
    join_family,
    leave_family,
    show_families,
)
from app.services.users import get_user_by_name

commands = typer.Typer(help="Groups of users that limits and the kill switch take together.")

Name = Annotated[str, typer.Argument(metavar="FAMILY", help="The family's name.")]
Member = Annotated[str, typer.Argument(metavar="USER", help="The user's name.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit log.")]


@commands.command()
def add(name: Name) -> None:
    """Add a family; its users join one by one."""
    with opened() as home, home.database.begin() as session:
        family = create_family(session, home.actor, name)
    say(f"Added family {family.name}.")


@commands.command("list")
def list_() -> None:
    """List all families with their users."""
    with opened() as home, home.database.begin() as session:
        families = show_families(session, home.actor)
    rows = [(family.family_id, family.name, " ".join(family.members)) for family in families]
    print_table(("ID", "FAMILY", "USERS"), rows, empty="No families yet; add one: openbell families add")


@commands.command()
def join(name: Name, user: Member, reason: Reason) -> None:
    """Let a user join; the family's limits bind the user's next order."""
    with opened() as home, home.database.begin() as session:
        family = get_family_by_name(session, home.actor, name)
        member = get_user_by_name(session, home.actor, user)
        join_family(session, home.actor, family, member, reason=reason)
    say(f"{user} belongs to {name}.")


@commands.command()
def leave(name: Name, user: Member, reason: Reason) -> None:
    """Let a user leave; the user's accounts must be flat, and the family under no loss lock."""
    with opened() as home, home.database.begin() as session:
        family = get_family_by_name(session, home.actor, name)
        member = get_user_by_name(session, home.actor, user)
        now = open_clock(home.settings.clock_file).now()
        leave_family(session, home.actor, family, member, reason=reason, now=now)
    say(f"{user} belongs to no family.")
