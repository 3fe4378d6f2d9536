"""Operators read the evidence about unknown orders and settle them by a command."""

import getpass
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from app.db.models import AuditRow, OrderRow
from app.db.session import Database
from tests.dashboard.seed import PUT, Person, seed_people, seed_unknown
from tests.integration.cli.conftest import Run

pytestmark = pytest.mark.integration

STRANGER = "261120000777"
WHY = ("--reason", "the dealer read the book to me")


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture(scope="module")
def people(database: Database) -> Iterator[Person]:
    """Somebody new for each test: `next(people)`."""
    with database.begin() as session:
        return iter(seed_people(session, count=4))


@pytest.fixture
def order_id(database: Database, people: Iterator[Person]) -> str:
    """An order of unknown outcome; the broker's book shows a stranger that looks like it."""
    with database.begin() as session:
        return str(seed_unknown(session, next(people), wall=datetime.now(UTC), lookalike=STRANGER).id)


def test_lists_and_shows_the_order_with_its_evidence(run: Run, order_id: str) -> None:
    [line] = [line for line in run("unknown", "list").out.splitlines() if line.startswith(order_id)]
    shown = run("unknown", "show", order_id)

    assert all(word in line for word in ("aarav/Aarav Kotak", PUT, "ENTRY SELL 75", "9645 INR", "0 of 2"))
    assert (shown.status, shown.err) == (0, "")
    for words in (
        "is SUBMITTED and unknown",
        "clean reads without it: 0 of 2",
        "message=no answer within 5 s",
        "No order in the broker's book carries its tag.",
        f"An order of unknown origin resembles it: broker order {STRANGER}.",
    ):
        assert words in shown.out


def test_settles_a_placed_order_once(run: Run, order_id: str, database: Database) -> None:
    words = ("unknown", "resolve", order_id, "--placed-as", STRANGER, *WHY)

    assert run(*words).out == f"order {order_id} is ACCEPTED.\n"
    assert run(*words).out == f"order {order_id} is ACCEPTED, as it was already.\n"

    with database.begin() as session:
        assert session.get_one(OrderRow, int(order_id)).broker_order_id == STRANGER
        acts = session.scalars(select(AuditRow).filter_by(subject=f"order:{order_id}")).all()
    assert {(act.actor, act.origin, act.reason) for act in acts} == {(getpass.getuser(), "cli", WHY[1])}
    assert "Nothing: its outcome is settled." in run("unknown", "show", order_id).out


def test_refuses_a_word_against_the_evidence_until_it_is_confirmed(run: Run, order_id: str) -> None:
    words = ("unknown", "resolve", order_id, "--not-placed", *WHY)

    refused = run(*words)

    assert (refused.status, STRANGER in refused.err) == (1, True)
    assert run(*words, "--confirm").out == f"order {order_id} is REJECTED.\n"


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("resolve", "1", *WHY), 2, "expected either --placed-as NUMBER or --not-placed"),
        (("resolve", "1", "--not-placed", "--placed-as", "7", *WHY), 2, "expected either"),
        (("resolve", "1", "--not-placed", "--reason", "short"), 2, "at least 10 characters"),
        (("resolve", "4711", "--not-placed", *WHY), 1, "there is no order:4711"),
        (("show", "4711"), 1, "there is no order:4711"),
    ],
)
def test_wrong_words_are_one_sentence(run: Run, words: tuple[str, ...], status: int, message: str) -> None:
    typed = run("unknown", *words)

    assert (typed.status, message in typed.err) == (status, True)
