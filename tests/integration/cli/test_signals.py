"""Operators hand signals in and issue keys by commands."""

import os
import subprocess
import sys

import pytest

from tests.integration.cli.conftest import Run

pytestmark = pytest.mark.integration
CALL = "NIFTY-20261124-26050-CE.NSE"


@pytest.fixture
def place(run: Run, request: pytest.FixtureRequest) -> str:
    name = f"u{abs(hash(request.node.name)) % 10**6}"
    run("users", "add", name, "--no-password")
    run("accounts", "add", f"{name}/main", "--broker", "paper")
    path = f"{name}/main/desk"
    added = run("deployments", "add", path, "--strategy", "external", "--param", "stop_fraction=0.30")
    assert added.err == ""
    return path


def test_a_wish_is_handed_in_listed_and_repeated(run: Run, place: str) -> None:
    left = run("signal", "leave", place, "--key", "out-1", "--reason", "done for the day")
    again = run("signal", "leave", place, "--key", "out-1")
    listed = run("signal", "list", place)

    assert (left.status, again.status, listed.status) == (0, 0, 0)
    number = left.out.split("\n")[1].split()[0]
    assert again.out.split("\n")[1].split()[0] == number
    assert [line.split()[:5] for line in listed.out.split("\n")[1:-1]] == [
        [number, "out-1", "CLI", "all", "EXIT"]
    ]
    assert run("signal", "show", number).out == left.out


def test_the_programs_output_is_the_result_alone(environment: dict[str, str], place: str) -> None:
    """As its own process: a program that reads it finds no line of a log there."""
    command = [sys.executable, "-c", "from app.cli import main; main()", "signal", "leave", place]
    ended = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)

    head, _row = ended.stdout.splitlines()
    assert head.startswith("SIGNAL")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("target", CALL, "--lots", "1"), "is not in the day's master"),
        (("buy", CALL, "--lots", "0"), "expected above 0, got 0"),
        (("target", CALL, "--lots", "1", "--stop-fraction", "x"), "stop_fraction: expected a decimal"),
        (("leave", "--key", "a b"), "key: expected 1 to 120"),
    ],
)
def test_a_wrong_wish_is_one_sentence(run: Run, place: str, words: tuple[str, ...], message: str) -> None:
    verb, *rest = words
    answer = run("signal", verb, place, *rest)

    assert answer.status in (1, 2)
    assert message in answer.err
    assert answer.err.count("\n") == 1


def test_only_a_deployment_for_signals_takes_them(run: Run, place: str) -> None:
    other = place.replace("/desk", "/straddle")
    run("deployments", "add", other, "--strategy", "short_straddle")

    answers = [run("signal", "leave", other), run("api-keys", "add", other, "--name", "x")]

    assert ["expected a deployment of the strategy external" in a.err for a in answers] == [True, True]


def test_a_key_is_shown_once_listed_and_revoked(run: Run, place: str) -> None:
    made = run("api-keys", "add", place, "--name", "afl")
    listed = run("api-keys", "list", place)
    revoked = run("api-keys", "revoke", place, "--name", "afl", "--reason", "moved")
    again = run("api-keys", "revoke", place, "--name", "afl", "--reason", "moved")

    key = made.out.strip()
    assert key.startswith("obk_")
    assert len(key) > 40
    assert key not in listed.out
    assert key[:10] in listed.out
    assert revoked.out == "Revoked 1 of afl.\n"
    assert (again.status, "expected a key in force" in again.err) == (1, True)
