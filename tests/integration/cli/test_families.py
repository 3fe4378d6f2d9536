"""Operators group users into families, limit them together and stop them together."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select, text

from app.db.models import AuditRow, LegRow, UserRow
from app.db.session import Database
from tests.dashboard.seed import Person, seed_day, seed_people
from tests.integration.cli.conftest import Run

pytestmark = pytest.mark.integration
WHY = ("--reason", "one household")
_LOCK = text("""
INSERT INTO loss_locks (venue, day, scope, target, rule, "limit", value, currency, formula, breached_at)
SELECT 'NSE', (now() AT TIME ZONE 'Asia/Kolkata')::date, 'FAMILY', id::text, 'MAX_DRAWDOWN', 1, 1, 'INR', '',
       now()
  FROM families WHERE name = 'locked'
""")


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def test_the_limits_of_a_family_bind_its_users_while_they_belong_to_it(run: Run, database: Database) -> None:
    run("users", "add", "mira", "--no-password")
    run("accounts", "add", "mira/main", "--broker", "paper")

    steps = [
        run("families", "add", "rao"),
        run("families", "join", "rao", "mira", *WHY),
        run("limits", "set", "family:rao", "max_lots=3", *WHY),
        run("limits", "try", "family:rao", "max_lots=1"),
    ]

    assert [(step.status, step.err) for step in steps] == [(0, "")] * 4
    assert run("families", "list").out.split("\n")[1].split()[1:] == ["rao", "mira"]
    assert _max_lots(run) == ["3", "FAMILY"]
    assert run("limits", "history", "family:rao").out.split("\n")[1].split()[0] == "1"
    left = run("families", "leave", "rao", "mira", "--reason", "moved out")
    assert (left.status, left.err) == (0, "")
    assert _max_lots(run) == ["50", "DEFAULT"]
    with database.begin() as session:
        acts = session.scalars(select(AuditRow).where(AuditRow.action.like("family.%")).order_by(AuditRow.id))
        told = [(act.action, act.reason, act.details.get("user_name")) for act in acts]
    assert told == [
        ("family.added", "", None),
        ("family.joined", "one household", "mira"),
        ("family.left", "moved out", "mira"),
    ]


def _max_lots(run: Run) -> list[str]:
    lines = [line.split() for line in run("limits", "show", "mira/main").out.split("\n")]
    return next(line[1:3] for line in lines if line and line[0] == "max_lots")


def test_a_wrong_word_is_one_sentence(run: Run) -> None:
    run("users", "add", "lila", "--no-password")
    run("families", "add", "sen")
    run("families", "join", "sen", "lila", *WHY)

    answers = [
        run("families", "add", "sen"),
        run("families", "add", "Sen & Sons"),
        run("families", "join", "nobody", "lila", *WHY),
        run("families", "join", "sen", "lila", *WHY),
        run("families", "leave", "sen", "lila", "--reason", " "),
        run("families", "leave", "rao", "lila", *WHY),
        run("limits", "set", "family:nobody", "max_lots=1", *WHY),
    ]

    assert [answer.status for answer in answers] == [1, 2, 1, 1, 2, 1, 1]
    words = (
        "which exists",
        "name of a family",
        "families add",
        "leave the present",
        "why",
        "a member",
        "nobody",
    )
    for answer, word in zip(answers, words, strict=True):
        assert word in answer.err


def test_nobody_leaves_a_family_to_get_round_its_lock(run: Run, database: Database) -> None:
    run("users", "add", "noor", "--no-password")
    run("families", "add", "locked")
    run("families", "join", "locked", "noor", *WHY)
    with database.begin() as session:
        session.execute(_LOCK)

    refused = run("families", "leave", "locked", "noor", *WHY)

    assert (refused.status, refused.err.count("expected no loss lock of locked")) == (1, 1)


@pytest.fixture(scope="module")
def people(database: Database) -> list[Person]:
    """A morning with open positions."""
    with database.begin() as session:
        people = seed_people(session, count=3)
        seed_day(session, people)
    return people


def test_a_family_is_stopped_and_resumed_together_and_its_busy_users_stay(
    run: Run, database: Database, people: list[Person]
) -> None:
    run("families", "add", "shah")
    for person in people[:2]:
        assert run("families", "join", "shah", person.name.lower(), *WHY).status == 0

    leaving = run("families", "leave", "shah", people[0].name.lower(), *WHY)
    killed = run("kill", "--family", "shah", "--reason", "prices look wrong", "--wait", "0", "--yes")

    assert (leaving.status, leaving.err.count("square off first")) == (1, 1)
    assert killed.status == 1, killed.err
    assert "0 of 2 accounts that had something to close are flat" in killed.err
    assert _states(database, people) == ["HALTED", "HALTED", "ACTIVE"]
    with database.begin() as session:
        asked = select(LegRow.account_id).where(LegRow.exit_reason.like("kill switch%")).distinct()
        assert set(session.scalars(asked)) == {person.account_id for person in people[:2]}
    assert run("resume", "--family", "shah", "--reason", "calm").status == 0
    assert _states(database, people) == ["ACTIVE"] * 3


def _states(database: Database, people: list[Person]) -> list[str]:
    with database.begin() as session:
        return [session.get_one(UserRow, person.user_id).trading_state for person in people]
