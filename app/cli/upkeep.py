"""Commands that keep the installation well."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from app.cli.installation import opened
from app.cli.tables import say
from app.infra.migrations import migrate as run_migrations
from app.services.doctor.doctor import examine
from app.services.doctor.findings import Finding, Severity
from strategies.registry import load_registry

commands = typer.Typer()

_MARKS = {
    Severity.OK: ("ok     ", "green"),
    Severity.WARNING: ("warning", "yellow"),
    Severity.ERROR: ("ERROR  ", "bold red"),
}


@commands.command()
def migrate() -> None:
    """Bring the database's tables to the newest form; safe to repeat."""
    with opened() as home:
        run_migrations(home.database.url)
    say("The tables are at the newest form.")


@commands.command()
def doctor(is_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Name everything that is wrong with this installation, each with its remedy; changes nothing.

    The exit status is 1 when there is an error, 0 with warnings or none.
    """
    findings = []
    for finding in examine(load_registry):
        findings.append(finding)
        if not is_json:
            _print(finding)
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    if is_json:
        typer.echo(json.dumps({"ok": errors == 0, "findings": [asdict(f) for f in findings]}, indent=2))
    else:
        warnings = sum(finding.severity is Severity.WARNING for finding in findings)
        typer.echo(f"\n{errors} errors, {warnings} warnings.")
    if errors:
        raise typer.Exit(1)


def _print(finding: Finding) -> None:
    mark, style = _MARKS[finding.severity]
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text.assemble((mark, style), f"  {finding.code}: {finding.message}"))
    if finding.remedy:
        console.print(Text(f"         -> {finding.remedy}"))
