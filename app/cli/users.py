"""Commands on the people who sign in."""

from typing import Annotated

import typer

from app.cli.installation import opened
from app.cli.secrets_in import read_password
from app.cli.tables import print_table, say
from app.domain.users import Role
from app.services.users import (
    create_user,
    disable_user,
    enable_user,
    get_user_by_name,
    list_users,
    set_password,
)

commands = typer.Typer(help="The people who sign in.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The user's name.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit log.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@commands.command()
def add(
    name: Name,
    role: Annotated[Role, typer.Option(help="ADMIN all, OPS watch and stop all, TRADER own.")] = Role.TRADER,
    is_from_stdin: FromStdin = False,
    has_password: Annotated[bool, typer.Option("--password/--no-password", help="May sign in.")] = True,
) -> None:
    """Add a user; asks for the password."""
    with opened() as home:
        password = read_password(is_from_stdin=is_from_stdin) if has_password else None
        with home.database.begin() as session:
            user = create_user(session, home.actor, name=name, role=role, password=password)
    say(f"Added {user.role} {user.name}.")


@commands.command("list")
def list_() -> None:
    """List all users."""
    with opened() as home, home.database.begin() as session:
        users = list_users(session, home.actor)
    rows = [(u.name, u.role, "yes" if u.is_enabled else "no", u.trading_state) for u in users]
    print_table(
        ("NAME", "ROLE", "ENABLED", "TRADING"), rows, empty="No users yet; add one: openbell users add"
    )


@commands.command()
def passwd(name: Name, is_from_stdin: FromStdin = False) -> None:
    """Set a user's password."""
    with opened() as home:
        password = read_password(is_from_stdin=is_from_stdin)
        with home.database.begin() as session:
            user = get_user_by_name(session, home.actor, name)
            set_password(session, home.actor, user.user_id, password)
    say(f"Set the password of {name}.")


@commands.command()
def disable(name: Name, reason: Reason) -> None:
    """Keep a user from signing in and trading; their accounts must be flat."""
    with opened() as home, home.database.begin() as session:
        user = get_user_by_name(session, home.actor, name)
        disable_user(session, home.actor, user.user_id, reason=reason)
    say(f"Disabled {name}.")


@commands.command()
def enable(name: Name, reason: Reason) -> None:
    """Let a user sign in and trade again."""
    with opened() as home, home.database.begin() as session:
        user = get_user_by_name(session, home.actor, name)
        enable_user(session, home.actor, user.user_id, reason=reason)
    say(f"Enabled {name}.")
