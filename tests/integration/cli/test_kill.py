"""The person at the machine stops everything by one command that needs PostgreSQL and nothing else."""

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from app.db.models import AuditRow, CommandRow, DeploymentRow, LegRow, OrderRow, UserRow
from app.db.session import Database
from app.domain.orders import OrderStatus
from tests.dashboard.seed import Person, seed_day, seed_people
from tests.integration.cli.conftest import Run

pytestmark = pytest.mark.integration

NOWHERE = "redis://127.0.0.1:1"
WHY = ("--reason", "prices look wrong", "--wait", "0")


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture(scope="module")
def people(database: Database) -> list[Person]:
    """A morning with open positions; each test stops somebody else."""
    with database.begin() as session:
        people = seed_people(session, count=4)
        seed_day(session, people)
    return people


def _asked(database: Database, person: Person) -> int:
    with database.begin() as session:
        where = (LegRow.account_id == person.account_id, LegRow.exit_reason.is_not(None))
        return len(session.scalars(select(LegRow).where(*where)).all())


def test_it_asks_for_the_words_and_changes_nothing_without_them(
    run: Run, database: Database, people: list[Person]
) -> None:
    refused = run("kill", "--user", "aarav", *WHY, stdin="yes\n")

    assert refused.status == 2
    assert "expected the words 'HALT aarav'" in refused.err
    assert _asked(database, people[0]) == 0


@pytest.mark.parametrize("words", [(), ("--all", "--user", "aarav")])
def test_it_wants_exactly_one_scope(run: Run, people: list[Person], words: tuple[str, ...]) -> None:
    refused = run("kill", *words, *WHY, "--yes")

    assert refused.status == 2
    assert "expected one of --family, --user, --account, --broker, --deployment and --all" in refused.err
    assert len(people) == 4


def test_it_lists_who_is_not_flat_and_why_and_fails_then(
    run: Run, database: Database, people: list[Person]
) -> None:
    told = run("kill", "--account", "aarav/Aarav Kotak", *WHY, "--yes", OPENBELL_REDIS_URL=NOWHERE)

    assert told.status == 1, told.err
    assert "0 of 1 accounts that had something to close are flat" in told.err
    assert "no broker session: " in told.out
    assert "NOT everything is flat" in told.out
    assert _asked(database, people[0]) == 2
    with database.begin() as session:
        (act,) = session.scalars(select(AuditRow).where(AuditRow.action == "kill_switch")).all()
        assert (act.origin, act.reason) == ("cli", "prices look wrong")
        assert session.scalars(select(CommandRow.user_id)).all() == [None]


def test_it_succeeds_only_when_everything_is_flat_and_says_it_for_programs(
    run: Run, database: Database, people: list[Person]
) -> None:
    person = people[1]
    path = f"{person.name.lower()}/{person.name} Kotak/{_deployment(database, person)}"
    first = run("kill", "--deployment", path, *WHY, "--yes", "--json")
    assert (first.status, json.loads(first.out)["is_flat"]) == (1, False), first.err

    with database.begin() as session:
        session.execute(update(LegRow).where(LegRow.account_id == person.account_id).values(net_qty=0))
        session.execute(
            update(OrderRow)
            .where(OrderRow.account_id == person.account_id)
            .values(status=OrderStatus.FILLED, filled_qty=OrderRow.quantity)
        )
    again = run("kill", "--deployment", path, *WHY, "--yes", "--json")

    assert again.status == 0, again.err
    shown = json.loads(again.out)
    assert (shown["is_flat"], shown["exits_requested"], shown["scope"]) == (True, 0, "deployment")


def test_what_was_stopped_may_go_on_by_a_command(run: Run, database: Database, people: list[Person]) -> None:
    person = people[2]
    run("kill", "--user", person.name.lower(), *WHY, "--yes")
    with database.begin() as session:
        assert session.get_one(UserRow, person.user_id).trading_state == "HALTED"

    assert run("resume", "--user", person.name.lower(), "--reason", "all is well").status == 0

    with database.begin() as session:
        assert session.get_one(UserRow, person.user_id).trading_state == "ACTIVE"


def _deployment(database: Database, person: Person) -> str:
    with database.begin() as session:
        return session.get_one(DeploymentRow, person.deployment_id).name
