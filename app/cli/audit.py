"""The command that checks every invariant now."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from app.cli.installation import Installation, opened
from app.cli.tables import print_table
from app.db.invariants import Breach
from app.services.audit import audit as find_breaches
from app.services.book_audit import BookFindings
from tasks.container import Container

commands = typer.Typer()

_EXIT_BROKEN = 1
_NO_BOOKS = BookFindings(breaches=(), unread=())


@commands.command()
def audit(
    *,
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="Only the records of this day."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Check every invariant of the design on the records and at the brokers; status 1 when one is broken."""
    with opened() as home, _parts(home) as parts:
        markets = parts.days()
        days = sorted(markets) if day is None else [day.date()]
        wall = parts.clock.wall()
        breaches = [breach for on in days for breach in find_breaches(parts.database, on, wall=wall)]
        books = _NO_BOOKS
        if day is None:
            pause = threading.Event()
            books = parts.book_auditor.audit(
                markets, pause=lambda: pause.wait(home.settings.reconcile_period_s)
            )
    breaches += books.breaches
    dates = ", ".join(on.isoformat() for on in days)
    if as_json:
        typer.echo(json.dumps(_as_json(dates, breaches, books), indent=1))
    else:
        rows = [(breach.invariant, breach.subject, breach.message) for breach in breaches]
        print_table(("invariant", "subject", "breach"), rows, empty=f"Every invariant holds on {dates}.")
        if books.unread:
            typer.echo(
                f"Books that could not be read: accounts {', '.join(map(str, books.unread))}.", err=True
            )
    if breaches:
        raise typer.Exit(_EXIT_BROKEN)


@contextmanager
def _parts(home: Installation) -> Iterator[Container]:
    parts = Container(
        settings=home.settings, addresses=home.addresses, stop=threading.Event(), holder="audit"
    )
    try:
        yield parts
    finally:
        parts.close()


def _as_json(dates: str, breaches: list[Breach], books: BookFindings) -> dict[str, object]:
    return {
        "date": dates,
        "is_sound": not breaches,
        "breaches": [asdict(breach) for breach in breaches],
        "unread_books": list(books.unread),
    }
