"""Operators do every act by a command, and errors are one sentence without a stack trace."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.db.day import injected_sessions
from app.db.session import Database
from tests.integration.cli.conftest import Run

pytestmark = pytest.mark.integration

SECRETS = """\
mobile_number=+919812345678
ucc=AB123
consumer_key=0f3c9a51-77aa
totp_secret=JBSWY3DPEHPK3PXP
mpin=918273
"""


def test_an_account_is_set_up_goes_live_and_back(run: Run) -> None:
    steps = [
        run("users", "add", "asha", "--password-stdin", stdin="correct horse battery\n"),
        run("accounts", "add", "asha/main", "--egress", "127.4.0.1"),
        run("accounts", "set-credentials", "asha/main", "--stdin", stdin=SECRETS),
        run(
            *("accounts", "live", "asha/main", "--reason", "paper went well", "--confirm", "LIVE main"),
            OPENBELL_IS_LIVE_TRADING_ALLOWED="true",
        ),
    ]
    assert [(step.status, step.err) for step in steps] == [(0, "")] * 4
    assert "918273" not in "".join(step.out for step in steps)

    listed = run("accounts", "list").out
    assert "asha/main  kotak_neo  LIVE" in " ".join(listed.split("\n")[1].split(" "))

    assert run("accounts", "paper", "asha/main", "--reason", "holiday").out == "asha/main is on paper.\n"


def test_live_asks_for_the_words_when_they_are_left_out(run: Run) -> None:
    run("users", "add", "dev", "--no-password")
    run("accounts", "add", "dev/one", "--egress", "127.4.0.2")
    run("accounts", "set-credentials", "dev/one", "--stdin", stdin=SECRETS)

    refused = run(
        *("accounts", "live", "dev/one", "--reason", "x"),
        stdin="yes\n",
        OPENBELL_IS_LIVE_TRADING_ALLOWED="true",
    )

    assert refused.status == 2
    assert refused.err.strip().endswith("Error: expected the words 'LIVE one', got 'yes'")


def test_a_deployment_is_added_paused_and_resumed(run: Run) -> None:
    run("users", "add", "ravi", "--no-password")
    run("accounts", "add", "ravi/main", "--broker", "paper")
    path = "ravi/main/straddle"

    added = run("deployments", "add", path, "--strategy", "short_straddle", "--param", "lots=2")
    paused = run("deployments", "pause", path, "--reason", "expiry day")
    shown = run("deployments", "list").out
    resumed = run("deployments", "resume", path, "--reason", "next week")

    assert [added.err, paused.err, resumed.err] == ["", "", ""]
    assert "PAUSED expiry day" in shown
    assert "lots=2" in shown


def test_a_deployment_is_sized_by_a_model_and_an_account_says_what_it_has(run: Run) -> None:
    run("users", "add", "sita", "--no-password")
    run("accounts", "add", "sita/main", "--broker", "paper")
    path = "sita/main/straddle"
    model = ("--sizing", "model=fixed_risk", "--sizing", "fraction=0.01")

    added = run("deployments", "add", path, "--strategy", "short_straddle", *model)
    shown = run("deployments", "list").out
    sized = run("deployments", "size", path, "--reason", "as wished")
    wrong = run("deployments", "size", path, "--reason", "x", "--sizing", "model=fixed_lots")
    saved = run("accounts", "settings", "sita/main", "--reason", "x", "--set", "capital=500000")
    drift = run("deployments", "drift")

    assert [added.err, sized.err, saved.err, drift.err] == [""] * 4
    assert "model=fixed_risk fraction=0.01" in shown
    assert sized.out == f"{path} is sized by its strategy.\n"
    assert (wrong.status, wrong.err.strip()) == (
        2,
        "Error: sizing: expected lots for fixed_lots, got none",
    )
    assert saved.out == "sita/main: capital=500000.\n"
    assert drift.out == "No entry was wished.\n"


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("users", "add", "Bad Name", "--no-password"), 2, "expected the name of a user to be"),
        (("users", "passwd", "nobody", "--password-stdin"), 1, "expected an existing user, got 'nobody'"),
        (("accounts", "enable", "asha", "--reason", "x"), 2, "expected USER/ACCOUNT, got 'asha'"),
        (
            ("accounts", "enable", "nobody/main", "--reason", "x"),
            1,
            "expected an existing user, got 'nobody'",
        ),
        (("accounts", "disable", "asha/none", "--reason", "x"), 1, "expected an account of asha, got 'none'"),
        (("deployments", "add", "asha/main/x", "--strategy", "y"), 2, "expected one of ema_cross"),
    ],
)
def test_a_wrong_command_gets_one_sentence(
    run: Run, words: tuple[str, ...], status: int, message: str
) -> None:
    run("users", "add", "asha", "--no-password")
    run("accounts", "add", "asha/main", "--egress", "127.4.0.1")

    answer = run(*words, stdin="correct horse battery\n")

    assert answer.status == status
    assert answer.err.startswith("Error: ")
    assert message in answer.err
    assert "Traceback" not in answer.err


def test_keys_rotate_and_credentials_still_open(run: Run) -> None:
    run("users", "add", "key", "--no-password")
    run("accounts", "add", "key/main", "--egress", "127.4.0.9")
    run("accounts", "set-credentials", "key/main", "--stdin", stdin=SECRETS)

    assert "secrets are closed with the newest key" in run("keys", "rotate").out
    assert "no secret key opens" not in run("doctor").out
    assert len(run("keys", "new").out.strip()) == 44


def test_a_session_is_injected_in_the_venues_own_time(run: Run, database_url: str) -> None:
    words = (
        "--venue",
        "NSE",
        "--segment",
        "FO",
        "--date",
        "2026-11-08",
        "--open",
        "18:00",
        "--close",
        "19:00",
    )

    answer = run("session", "inject", *words, "--reason", "muhurat trading")

    assert answer.err == ""
    database = Database(database_url)
    with database.begin() as session:
        [injected] = injected_sessions(session)
    database.close()
    assert injected.open_at.isoformat() == "2026-11-08T12:30:00+00:00"
    assert injected.notes == "muhurat trading"


def test_the_import_says_file_and_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "people.toml"
    file.write_text('[[users]]\nname = "x"\nrole = "BOSS"\n')

    answer = run("import", str(file))

    assert answer.status == 2
    assert (
        answer.err == "Error: people.toml:3: users[1].role: expected 'ADMIN', 'OPS' or 'TRADER', got 'BOSS'\n"
    )


def test_a_database_that_does_not_answer_is_one_sentence(run: Run) -> None:
    answer = run("users", "list", OPENBELL_DATABASE_URL="postgresql://u:secret-word@127.0.0.1:1/none")

    assert answer.status == 1
    assert answer.err.startswith("Error: the database does not answer: ")
    assert "secret-word" not in answer.err
    assert "Traceback" not in answer.err


def test_the_console_script_runs_in_a_process_of_its_own(environment: dict[str, str]) -> None:
    script = Path(sys.executable).with_name("openbell")

    done = subprocess.run(
        [script, "users", "passwd", "nobody", "--password-stdin"],
        input="correct horse battery\n",
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: expected an existing user, got 'nobody'\n"
