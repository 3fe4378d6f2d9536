"""The page about the brokers tells of exactly the cards and adapters that the suite has."""

import json
import subprocess
import sys

import pytest

from tests.contract.cards import CARDS
from tests.contract.table import PAGE, ROOT, Outcome, Row, adapter_name, page_of, read_page, result_of


@pytest.fixture(scope="module")
def listed() -> list[tuple[str, str, int]]:
    """What the suite has: folder, adapter and number of each card."""
    command = [sys.executable, "-m", "tests.contract.table", "--list"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [(folder, name, number) for folder, name, number in json.loads(done.stdout.splitlines()[-1])]


def test_the_page_names_the_cards_and_adapters_of_the_suite(listed: list[tuple[str, str, int]]) -> None:
    rows = read_page(PAGE.read_text(encoding="utf-8"))

    assert [(row.adapter, row.number) for row in rows] == [entry[1:] for entry in listed], (
        "docs/brokers.md is of another suite: run .venv/bin/python -m tests.contract.table"
    )


def test_every_card_is_answered_by_some_variant_of_every_adapter(
    listed: list[tuple[str, str, int]],
) -> None:
    answered: dict[str, set[int]] = {}
    for folder, _name, number in listed:
        answered.setdefault(folder, set()).add(number)

    assert {"kotak_neo", "paper"} <= set(answered)
    assert all(numbers == {card.number for card in CARDS} for numbers in answered.values()), answered


def test_the_page_says_what_the_cards_say() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert text == page_of(read_page(text))


@pytest.mark.parametrize(
    ("outcome", "reason", "result"),
    [
        (Outcome.PASSED, "", "pass"),
        (Outcome.SKIPPED, "Skipped: changes_in_place is not declared", "excused by `changes_in_place`"),
        (Outcome.SKIPPED, "Skipped: flaky today", None),
        (Outcome.SKIPPED, "Skipped: exchanges_in_place", None),
        (Outcome.FAILED, "AssertionError: changes_in_place", None),
    ],
)
def test_only_a_declared_capability_excuses_a_card(outcome: Outcome, reason: str, result: str | None) -> None:
    assert result_of(outcome, reason) == result


def test_rows_come_back_from_the_page() -> None:
    rows = [
        Row(adapter="binance_spot", number=6, result="excused by `changes_in_place`"),
        Row(adapter="kotak_neo", number=1, result="pass"),
    ]

    assert read_page(page_of(rows)) == rows


@pytest.mark.parametrize(
    ("folder", "values", "name"),
    [
        ("paper", [], "paper"),
        ("mt5", ["HEDGING"], "mt5_hedging"),
        ("binance", ["binance_spot"], "binance_spot"),
        ("binance", ["usd-m futures"], "binance_usd_m_futures"),
    ],
)
def test_an_adapter_is_named_by_its_folder_and_its_variant(folder: str, values: list[str], name: str) -> None:
    assert adapter_name(folder, values) == name
