"""Import users, accounts, credentials and deployments from a file."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.installation import opened
from app.cli.tables import say
from app.services.import_file import read_import_file
from app.services.importing import Importer, import_file
from strategies.registry import load_registry

commands = typer.Typer()


@commands.command("import")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="TOML, see docs/operations.md.")],
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, add nothing.")] = False,
) -> None:
    """Add the users, accounts, credentials and deployments of a file: all of them, or nothing."""
    entries = read_import_file(file.name, file.read_text(encoding="utf-8"))
    with opened() as home:
        importer = Importer(
            database=home.database,
            vault=home.vault(),
            actor=home.actor,
            book=load_registry(home.settings.strategy_modules),
        )
        counts = import_file(importer, entries, is_dry_run=is_dry_run)
    verb = "Would add" if is_dry_run else "Added"
    say(
        f"{verb} {counts.users} users, {counts.accounts} accounts ({counts.credentials} with credentials), "
        f"{counts.deployments} deployments."
    )
