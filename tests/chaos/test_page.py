"""docs/reliability.md tells of one run that held, and of nothing else."""

import json
from typing import Any

import pytest

from tests.chaos.page import PAGE, RECORD, page_of
from tests.chaos.plan import BROKER_RULES, Kind


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return found


def test_the_page_is_written_from_its_record(record: dict[str, Any]) -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of(record), "run `make chaos`, which writes both"


def test_the_run_held_and_its_faults_are_the_planners(record: dict[str, Any]) -> None:
    names = {str(kind) for kind in Kind} | {f"{Kind.BROKER}: {rule}" for rule in BROKER_RULES}

    assert record["reasons"] == []
    nothing = ("lost", "duplicates", "mismatched", "unknown_open", "open_at_end", "exits_behind_entries")
    assert {name: record[name] for name in nothing} == dict.fromkeys(nothing, 0)
    assert set(record["kinds"]) <= names
    assert sum(kind["played"] for kind in record["kinds"].values()) == record["played"]
