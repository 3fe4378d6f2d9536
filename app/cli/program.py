"""Build the program `openbell` from its groups of commands, and say errors in one sentence."""

from typing import Any

import typer
from psycopg.errors import UndefinedColumn, UndefinedTable
from sqlalchemy.exc import OperationalError, ProgrammingError
from typer.core import TyperGroup

from app.cli import (
    accounts,
    audit,
    backups,
    blackouts,
    demo,
    deployments,
    families,
    imports,
    keys,
    kill,
    limits,
    sessions,
    signals,
    square_offs,
    unknown,
    up,
    upkeep,
    users,
)
from app.domain.errors import AppError, ConfigError, InvalidInputError
from app.infra.logs import configure_logs

# Modules with a Typer called `commands`; a name puts them under one word, None at the top.
GROUPS: tuple[tuple[str | None, typer.Typer], ...] = (
    (None, demo.commands),
    (None, up.commands),
    (None, upkeep.commands),
    (None, audit.commands),
    (None, kill.commands),
    (None, backups.commands),
    (None, imports.commands),
    ("users", users.commands),
    ("families", families.commands),
    ("accounts", accounts.commands),
    ("deployments", deployments.commands),
    ("keys", keys.commands),
    ("limits", limits.commands),
    ("session", sessions.commands),
    ("signal", signals.commands),
    ("api-keys", signals.key_commands),
    ("square-off", square_offs.commands),
    ("blackouts", blackouts.commands),
    ("unknown", unknown.commands),
)

EXIT_FAILED = 1
EXIT_WRONG_INPUT = 2


class _Program(TyperGroup):
    """Turn the faults that a person can act on into a sentence on stderr and an exit status."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  typer keeps its click private
        try:
            return super().invoke(ctx)
        except AppError as e:
            typer.echo(f"Error: {e}", err=True)
            is_input = isinstance(e, ConfigError | InvalidInputError)
            raise typer.Exit(EXIT_WRONG_INPUT if is_input else EXIT_FAILED) from e
        except OperationalError as e:
            typer.echo(f"Error: the database does not answer: {_first_line(e)}", err=True)
            raise typer.Exit(EXIT_FAILED) from e
        except ProgrammingError as e:
            if not isinstance(e.orig, UndefinedTable | UndefinedColumn):
                raise
            typer.echo("Error: the database has not the newest tables; run: openbell migrate", err=True)
            raise typer.Exit(EXIT_FAILED) from e


def build() -> typer.Typer:
    """Return the whole program."""
    program = typer.Typer(
        name="openbell",
        cls=_Program,
        help="Run many people's trading strategies on many broker accounts.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name, group in GROUPS:
        program.add_typer(group, name=name)
    return program


def main() -> None:
    """Run the program; the console script `openbell`. Standard output is for results: logs go beside it."""
    configure_logs("WARNING", process="cli")
    build()()


def _first_line(error: OperationalError) -> str:
    return str(error.orig).strip().splitlines()[0]
