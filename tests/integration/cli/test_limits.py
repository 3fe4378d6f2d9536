"""Operators show, set and try limits by commands."""

import pytest

from tests.integration.cli.conftest import Run

pytestmark = pytest.mark.integration


def test_limits_are_set_shown_tried_and_kept(run: Run) -> None:
    run("users", "add", "mira", "--no-password")
    run("accounts", "add", "mira/main", "--broker", "paper")
    run("deployments", "add", "mira/main/straddle", "--strategy", "short_straddle", "--limit", "max_lots=9")
    account = "account:mira/main"

    steps = [
        run("limits", "set", account, "max_lots=4", "denied_symbols=BANKNIFTY", "--reason", "expiry"),
        run("limits", "set", account, "max_lots=3", "--drop", "denied_symbols", "--reason", "calm again"),
        run("limits", "set", "broker:paper", "max_orders_per_day=100", "--reason", "house rule"),
        run("limits", "set", "deployment:mira/main/straddle", "max_stops=2", "--reason", "stops"),
        run("limits", "try", "user:mira", "max_lots=1"),
    ]

    assert [(step.status, step.err) for step in steps] == [(0, "")] * 5
    assert steps[1].out == f"Limits of {account}, version 2: max_lots=3.\n"
    assert steps[4].out == "It would have denied nothing.\n0 of 0 entries of today; 0 could not be judged.\n"
    shown = {
        line.split()[0]: line.split()
        for line in run("limits", "show", "mira/main/straddle").out.split("\n")[1:-1]
    }
    assert shown["max_lots"][1:3] == ["3", "ACCOUNT"]
    assert shown["max_lots"][-2:] == ["calm", "again"]
    assert shown["max_orders_per_day"][1:3] == ["100", "BROKER"]
    assert shown["max_stops"][1:3] == ["2", "DEPLOYMENT"]
    assert shown["max_daily_loss"] == ["max_daily_loss", "25000", "DEFAULT"]
    history = run("limits", "history", account).out.split("\n")
    assert [line.split()[0] for line in history[1:-1]] == ["2", "1"]
    assert "denied_symbols=BANKNIFTY max_lots=4" in history[2]
    assert "max_stops" not in run("limits", "show", "mira/main").out
    sets = run("limits", "list").out.split("\n")
    assert [line.split()[0] for line in sets[1:-1]] == ["BROKER", "ACCOUNT", "DEPLOYMENT"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("account:nobody/x", "max_lots=1"), "expected an existing user, got 'nobody'"),
        (("everybody", "max_lots=1"), "expected tenant, broker:CODE, family:FAMILY, user:USER"),
        (("tenant", "max_lots"), "expected NAME=VALUE, got 'max_lots'"),
        (("tenant", "--drop", "max_lots"), "--drop: expected names that this scope limits, got max_lots"),
        (("tenant", "max_moon=1"), "got max_moon"),
    ],
)
def test_a_wrong_word_is_one_sentence(run: Run, words: tuple[str, ...], message: str) -> None:
    answer = run("limits", "set", *words, "--reason", "x")

    assert answer.status in (1, 2)
    assert message in answer.err
