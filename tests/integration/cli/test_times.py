"""Operators see and set when positions leave, and name windows without entries."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.cli.conftest import Run

pytestmark = pytest.mark.integration

DAY = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"


def test_a_setting_is_made_listed_and_withdrawn(run: Run) -> None:
    words = ("--venue", "NSE", "--broker", "kotak_neo", "--leave", "15:20", "--broker-closes", "15:30")
    made = run("square-off", "set", *words, "--from", DAY, "--entries-end", "15:00", "--reason", "circular")
    number = made.out.split(":")[0].removeprefix("Setting ")
    listed = run("square-off", "list")
    withdrawn = run("square-off", "withdraw", number, "--reason", "went back")

    assert (made.status, made.err) == (0, "")
    assert made.out == f"Setting {number}: positions leave at 15:20 from {DAY} on.\n"
    row = next(line.split() for line in listed.out.split("\n") if line.startswith(f"{number} "))
    assert row[:8] == [number, "NSE", "kotak_neo", "all", DAY, "15:00:00", "15:20:00", "15:30:00"]
    assert withdrawn.out == f"Setting {number} holds no longer.\n"
    assert "No setting holds; the defaults do." in run("square-off", "list").out


def test_a_window_is_added_listed_and_withdrawn(run: Run) -> None:
    times = ("--from", "2027-02-01T10:55", "--to", "2027-02-01 13:00", "--timezone", "Asia/Kolkata")
    added = run(
        "blackouts",
        "add",
        "Union Budget",
        "--covers",
        "NSE",
        "--covers",
        "BSE",
        "--flat",
        *times,
        "--reason",
        "yes",
    )
    number = added.out.split(":")[0].removeprefix("Blackout ")
    listed = run("blackouts", "list").out.split("\n")
    withdrawn = run("blackouts", "withdraw", number, "--reason", "moved")

    assert added.out == f"Blackout {number}: Union Budget covers BSE, NSE.\n"
    row = next(line for line in listed if line.startswith(f"{number} "))
    assert "FLAT_BEFORE" in row
    assert "2027-02-01 05:25" in row
    assert any("forex weekend" in line for line in listed)
    assert withdrawn.out == f"Blackout {number} holds no longer.\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("square-off", "set", "--venue", "NSE", "--leave", "late", "--reason", "x"),
            "--leave: expected HH:MM",
        ),
        (("square-off", "set", "--venue", "NSE", "--leave", "14:00", "--reason", " "), "expected why"),
        (("square-off", "withdraw", "999", "--reason", "x"), "expected one that holds, there is no 999"),
        (("blackouts", "withdraw", "999", "--reason", "x"), "expected one that holds, there is no 999"),
        (
            (
                *("blackouts", "add", "x", "--covers", "USD", "--reason", "x", "--timezone", "Nowhere"),
                *("--from", "2027-01-01T00:00", "--to", "2027-01-01T01:00"),
            ),
            "--timezone: expected one such as Asia/Kolkata",
        ),
    ],
)
def test_mistakes_are_named(run: Run, words: tuple[str, ...], message: str) -> None:
    answer = run(*words)

    assert answer.status != 0
    assert message in answer.err
