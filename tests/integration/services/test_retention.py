"""The course of profit and loss goes when it is old; nothing else does."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from app.db.models import EquityPointRow
from app.db.session import Database
from app.domain.instruments import Venue
from app.domain.markets import NSE
from app.services.retention import forget_old_points

pytestmark = pytest.mark.integration
TODAY = date(2026, 11, 23)


@pytest.fixture
def database(fresh_database_url: str) -> Iterator[Database]:
    opened = Database(fresh_database_url)
    yield opened
    opened.close()


def add_points(database: Database, days_ago: int, *, venue: Venue = Venue.NSE, count: int = 1) -> None:
    day = TODAY - timedelta(days=days_ago)
    start = datetime(day.year, day.month, day.day, 4, tzinfo=UTC)
    rows = [
        {
            "venue": venue,
            "day": day,
            "scope": "ACCOUNT",
            "target": "1",
            "minute": start + timedelta(minutes=n),
            "realized": 0,
            "unrealized": 0,
            "peak": 0,
        }
        for n in range(count)
    ]
    with database.begin() as session:
        session.execute(insert(EquityPointRow), rows)


def days_left(database: Database) -> list[tuple[str, int]]:
    with database.begin() as session:
        found = session.execute(select(EquityPointRow.venue, EquityPointRow.day).distinct())
        return sorted((venue, (TODAY - day).days) for venue, day in found)


def test_points_are_kept_for_the_days_that_were_asked_and_per_market(database: Database) -> None:
    for days_ago in (0, 1, 2, 3, 30):
        add_points(database, days_ago)
    add_points(database, 30, venue=Venue.MT5)

    assert forget_old_points(database, NSE, today=TODAY, kept_days=3) == 2

    assert days_left(database) == [("MT5", 30), ("NSE", 0), ("NSE", 1), ("NSE", 2)]
    assert forget_old_points(database, NSE, today=TODAY, kept_days=3) == 0


def test_many_points_go_in_short_transactions(database: Database) -> None:
    add_points(database, 9, count=20)
    add_points(database, 1, count=20)

    assert forget_old_points(database, NSE, today=TODAY, kept_days=3, batch=7) == 20
    assert days_left(database) == [("NSE", 1)]
