"""docs/reliability.md tells of one run that held, and of nothing else."""

import json
from typing import Any

import pytest

from tests.chaos.mutants import MUTANTS
from tests.chaos.page import PAGE, RECORD, page_of
from tests.chaos.plan import BROKER_RULES, Kind
from tests.chaos.verdict import MAX_BARE_S

_NOTHING = (
    "lost",
    "duplicates",
    "mismatched",
    "unknown_open",
    "open_at_end",
    "exits_behind_entries",
    "writes_without_a_lease",
)


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return found


def test_the_page_is_written_from_its_record(record: dict[str, Any]) -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of(record), "run `make chaos`, which writes both"


def test_the_run_held_and_its_faults_are_the_planners(record: dict[str, Any]) -> None:
    names = {str(kind) for kind in Kind} | {f"{Kind.BROKER}: {rule}" for rule in BROKER_RULES}

    assert record["reasons"] == []
    assert {name: record[name] for name in _NOTHING} == dict.fromkeys(_NOTHING, 0)
    assert record["unprotected_max_s"] <= MAX_BARE_S
    assert set(record["kinds"]) <= names
    assert sum(kind["played"] for kind in record["kinds"].values()) == record["played"]


def test_the_run_was_the_long_one_and_every_mutant_was_told(record: dict[str, Any]) -> None:
    assert record["played"] >= 200
    assert len(record["kinds"]) >= 15
    assert record["orders"]["sent"] >= 5_000
    assert set(record["mutants"]) == set(MUTANTS)
