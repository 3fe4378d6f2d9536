"""Commands on the secret keys."""

import typer

from app.cli.installation import opened
from app.cli.tables import say
from app.infra.vault import new_key
from app.services.credentials import rotate_keys

commands = typer.Typer(help="The keys that close stored credentials.", no_args_is_help=True)


@commands.command()
def new() -> None:
    """Print a new key, to be put first in OPENBELL_SECRET_KEYS."""
    typer.echo(new_key())


@commands.command()
def rotate() -> None:
    """Close every stored secret with the newest key; a key file gets a new one by itself.

    With OPENBELL_SECRET_KEYS, put a new key first ("new,old"), restart everything, and run this; then the
    old key may go.
    """
    with opened() as home:
        count = rotate_keys(home.settings, home.database, home.actor)
    say(f"{count} secrets are closed with the newest key.")
