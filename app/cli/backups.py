"""Commands that keep a copy of the database and go back to it."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.installation import opened
from app.cli.tables import say
from app.infra import backups
from app.infra.migrations import migrate
from app.services.acts import record

commands = typer.Typer()


@commands.command()
def backup(file: Annotated[Path, typer.Argument(help="A new file.")]) -> None:
    """Write the whole database into a file, while everything runs."""
    with opened() as home:
        backups.back_up(home.database.url, file)
    say(f"The database is in {file}. Keep it apart from the secret keys.")


@commands.command()
def restore(
    file: Annotated[Path, typer.Argument(exists=True, help="What `openbell backup` wrote.")],
    reason: Annotated[str, typer.Option(help="Why, for the audit log.")],
) -> None:
    """Replace the whole database by a backup; everything must be stopped.

    Afterwards no account opens a position before its broker's books have been read.
    """
    with opened() as home:
        url = home.database.url
        backups.restore(url, file)
        migrate(url)
        with home.database.begin() as session:
            record(session, home.actor, "restore_backup", subject=str(file.resolve()), reason=reason)
    say("The database is as it was then. Compare every account with its broker before you resume it.")
