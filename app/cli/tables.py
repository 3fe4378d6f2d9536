"""Print tables and single results for people."""

import sys
from collections.abc import Iterable, Sequence

import typer
from rich.console import Console
from rich.table import Table

_PIPED_WIDTH = 200


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print rows under headings, or the sentence `empty`; a pipe gets the full width, never cut words."""
    table = Table(*headings, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    if table.row_count == 0:
        typer.echo(empty)
        return
    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    Console(width=width, markup=False, highlight=False).print(table)


def say(sentence: str) -> None:
    """Print what was done."""
    typer.echo(sentence)
