"""Run the cards of every adapter and write docs/brokers.md from what happened.

`python -m tests.contract.table` runs and writes; `--list` only prints which rows there are, as JSON.

An adapter joins by a folder of its own here with a test_cards.py, whose test takes a `card` and a `desk`. Its
name is the folder's with the values of its other parameters ("mt5" and "NETTING" make "mt5_netting"). A card
is skipped with a reason that names the field of `Capabilities` which excuses it.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path

import pytest

from app.domain.ports import Capabilities
from tests.contract.cards import CARDS, Card

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "brokers.md"
_MODULES = [str(path) for path in sorted(Path(__file__).parent.glob("*/test_cards*.py"))]
_FIELDS = tuple(capability.name for capability in fields(Capabilities))
_PASS = "pass"
_HEAD = """# Brokers: what each adapter keeps of the contract

Every adapter passes the same numbered cards (`tests/contract/cards.py`). Each card is a test that a person
could run by hand; here it runs against a broker under the test's control, over the wire. `pass` means that it
ran and held. `excused by` names the field of `Capabilities` (`app/domain/ports.py`) by which the adapter
declares that the broker has no such thing; nothing else excuses a card. Variants of one adapter may leave out
cards that cannot differ between them, as long as one of them answers each card.

The run itself writes this page: `.venv/bin/python -m tests.contract.table`. When a card fails, the run fails
and the page stays as it was.

## The cards

| card | given | do | expect |
|---|---|---|---|
"""
_RESULTS = """
## The adapters

| adapter | card | result |
|---|---|---|
"""


class Outcome(StrEnum):
    """Name what may become of a card."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Row:
    """Hold one card of one adapter and what the page says about it."""

    adapter: str
    number: int
    result: str = ""
    folder: str = field(default="", compare=False)


class UnexcusedError(Exception):
    """A card was skipped for a reason that names no capability, or it did not hold."""


class Recorder:
    """Collect, as a pytest plugin, which cards there are and what became of each."""

    def __init__(self) -> None:
        self.cards: dict[str, Row] = {}
        self.outcomes: dict[str, tuple[Outcome, str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the cards and drop every other test."""
        for item in items:
            row = _row_of(item)
            if row is not None:
                self.cards[item.nodeid] = row
        items[:] = [item for item in items if item.nodeid in self.cards]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome; a fault before or after the card counts as its failure."""
        if report.when == "call" or not report.passed:
            known = self.outcomes.get(report.nodeid)
            if known is None or known[0] is not Outcome.FAILED:
                self.outcomes[report.nodeid] = (Outcome(report.outcome), _reason(report))

    def rows(self) -> list[Row]:
        """Return every card of every adapter with its result.

        Raises: UnexcusedError naming the cards that failed, did not run, or were skipped without excuse.
        """
        rows, faults = [], []
        for nodeid, row in self.cards.items():
            outcome, reason = self.outcomes.get(nodeid, (Outcome.FAILED, "it did not run"))
            result = result_of(outcome, reason)
            if result is None:
                faults.append(f"{row.adapter} card {row.number}: {outcome} {reason}")
            else:
                rows.append(Row(adapter=row.adapter, number=row.number, result=result))
        if faults:
            raise UnexcusedError("\n".join(sorted(faults)))
        return sorted(rows)


def result_of(outcome: Outcome, reason: str) -> str | None:
    """Return what the page says about a card, None when nothing may be said."""
    if outcome is Outcome.PASSED:
        return _PASS
    excuses = [name for name in _FIELDS if re.search(rf"\b{name}\b", reason)]
    return f"excused by `{excuses[0]}`" if outcome is Outcome.SKIPPED and excuses else None


def adapter_name(folder: str, values: Sequence[str]) -> str:
    """Return the name of an adapter: its folder, told apart by the values of the test's other parameters."""
    variant = "_".join(values).lower()
    name = variant if variant.startswith(folder) else f"{folder}_{variant}".strip("_")
    return re.sub(r"\W+", "_", name)


def page_of(rows: Sequence[Row]) -> str:
    """Return the text of the page."""
    cards = "".join(
        f"| {card.title} | {card.prerequisite} | {card.action} | {card.expected} |\n" for card in CARDS
    )
    titles = {card.number: card.title for card in CARDS}
    results = "".join(f"| {row.adapter} | {titles[row.number]} | {row.result} |\n" for row in rows)
    return f"{_HEAD}{cards}{_RESULTS}{results}"


def read_page(text: str) -> list[Row]:
    """Return the rows of a page."""
    numbers = {card.title: card.number for card in CARDS}
    found = re.findall(r"^\| (\w+) \| (\d\d-\w+) \| (pass|excused by `\w+`) \|$", text, re.MULTILINE)
    return [Row(adapter=name, number=numbers.get(title, 0), result=result) for name, title, result in found]


def _row_of(item: pytest.Item) -> Row | None:
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return None
    params = dict(item.callspec.params)
    card = params.pop("card", None)
    if not isinstance(card, Card):
        return None
    folder = item.path.parent.name
    name = adapter_name(folder, [str(params[key]) for key in sorted(params)])
    return Row(adapter=name, number=card.number, folder=folder)


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    return "" if report.longrepr is None else str(report.longrepr).strip().rpartition("\n")[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run or list the cards; write the page when every one of them held or is excused."""
    parser = argparse.ArgumentParser(prog="tests.contract.table", description="Write docs/brokers.md.")
    parser.add_argument("--list", action="store_true", help="print adapters and card numbers, run nothing")
    options = parser.parse_args(arguments)
    recorder = Recorder()
    if options.list:
        status = pytest.main([*_MODULES, "--collect-only", "-q", "-q"], plugins=[recorder])
        rows = sorted(recorder.cards.values())
        sys.stdout.write(json.dumps([[row.folder, row.adapter, row.number] for row in rows]) + "\n")
        return int(status)
    status = pytest.main([*_MODULES, "-q"], plugins=[recorder])
    try:
        PAGE.write_text(page_of(recorder.rows()), encoding="utf-8")
    except UnexcusedError as e:
        sys.stderr.write(f"docs/brokers.md stays as it was:\n{e}\n")
        return 1
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
