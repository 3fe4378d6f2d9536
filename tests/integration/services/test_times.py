"""People set when positions leave and when nothing is entered; who, why and what stays on record."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.models import AuditRow, BlackoutRow, SquareOffSettingRow
from app.db.times import list_blackouts, list_square_off_settings, read_blackouts
from app.domain.accounts import BrokerCode
from app.domain.blackouts import Blackout, BlackoutRule
from app.domain.errors import ForbiddenError, InvalidInputError, NotFoundError
from app.domain.instruments import InstrumentKind, Venue
from app.domain.markets import MT5, NSE
from app.domain.phases import Phase
from app.domain.square_off import SquareOffSetting
from app.domain.users import Actor, Role
from app.infra.calendars import load_calendar
from app.services.time_book import TimeBook
from app.services.times import (
    add_blackout,
    set_square_off,
    show_square_offs,
    withdraw_blackout,
    withdraw_square_off,
)
from tests.integration.services.conftest import ADMIN

pytestmark = pytest.mark.integration

NOW = datetime(2026, 12, 1, 4, 0, tzinfo=UTC)
"""A Tuesday on which NIFTY expires."""
DAY = date(2026, 12, 1)
OPS = Actor(name="ops", role=Role.OPS, origin="test")
EARLY = SquareOffSetting(venue=Venue.NSE, broker=BrokerCode.PAPER, first_day=DAY, leave_at=time(14, 45))
PAYROLLS = Blackout(
    name="payrolls",
    covers=frozenset({"USD", "EUR"}),
    starts_at=NOW + timedelta(days=3),
    ends_at=NOW + timedelta(days=3, hours=1),
    rule=BlackoutRule.NO_ENTRIES,
    lead=timedelta(minutes=10),
)


def acts(session: Session, action: str) -> list[tuple[str, str, str]]:
    rows = session.scalars(select(AuditRow).where(AuditRow.action == action).order_by(AuditRow.id))
    return [(row.actor, row.subject, row.reason) for row in rows]


def wall(at: datetime) -> str:
    return f"{at.astimezone(NSE.timezone):%H:%M}"


def test_a_setting_holds_from_its_commit_until_it_is_withdrawn(session: Session) -> None:
    book = TimeBook(load_calendar())

    def paper() -> list[tuple[bool, str, int | None]]:
        found = show_square_offs(session, book, [NSE], now=NOW)
        return [
            (one.is_expiring, wall(one.times.leave_at), one.times.setting)
            for one in found
            if (one.broker, one.venue) == (BrokerCode.PAPER, Venue.NSE)
        ]

    before = paper()
    number = set_square_off(session, ADMIN, EARLY, reason="funds move early", now=NOW).number
    during = paper()
    withdraw_square_off(session, ADMIN, number, reason="no longer", now=NOW)

    assert before == paper() == [(False, "15:12", None), (True, "15:00", None)]
    assert during == [(False, "14:45", number), (True, "14:33", None)]
    subject = f"square-off setting {number}"
    assert acts(session, "square_off.set")[-1] == ("root", subject, "funds move early")
    assert acts(session, "square_off.withdraw")[-1] == ("root", subject, "no longer")
    row = list_square_off_settings(session)[0]
    assert (row.id, row.actor, row.withdrawn_by, row.withdrawal_reason) == (
        number,
        "root",
        "root",
        "no longer",
    )


def test_a_window_holds_until_it_is_withdrawn_and_the_weekend_of_forex_is_shipped(session: Session) -> None:
    added = add_blackout(session, ADMIN, PAYROLLS, reason="news")

    held = {one.number: one for one in read_blackouts(session, NOW)[0]}
    past, _ = read_blackouts(session, PAYROLLS.ends_at)
    withdraw_blackout(session, ADMIN, added.number, reason="moved", now=NOW)

    assert held[added.number] == added
    assert [one.name for one in past] == ["forex weekend"]
    assert [one.name for one in read_blackouts(session, NOW)[0]] == ["forex weekend"]
    weekend = past[0]
    assert weekend.weekly_in == MT5.timezone
    assert (weekend.rule, weekend.lead) == (BlackoutRule.FLAT_BEFORE, timedelta(minutes=30))
    assert [f"{at.astimezone(MT5.timezone):%a %H:%M}" for at in (weekend.starts_at, weekend.ends_at)] == [
        "Fri 16:30",
        "Sun 17:00",
    ]
    assert acts(session, "blackout.add")[-1] == ("root", f"blackout {added.number}", "news")
    assert acts(session, "blackout.withdraw")[-1] == ("root", f"blackout {added.number}", "moved")
    assert list_blackouts(session)[0].withdrawn_by == "root"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"first_day": DAY - timedelta(days=1)}, "first day from 2026-12-01"),
        ({"broker": BrokerCode.MT5}, "a broker of NSE"),
        ({"product": InstrumentKind.FOREX}, "a product of NSE"),
    ],
)
def test_what_is_of_another_market_or_day_is_refused(
    session: Session, changes: dict[str, object], what: str
) -> None:
    fields = {"venue": Venue.NSE, "first_day": DAY, "leave_at": time(14, 45)} | changes
    with pytest.raises(InvalidInputError, match=what):
        set_square_off(session, ADMIN, SquareOffSetting(**fields), reason="a test", now=NOW)  # type: ignore[arg-type]  # parametrized


def test_only_an_administrator_with_a_reason_sets_and_withdraws(session: Session) -> None:
    for actor in (OPS, Actor(name="asha", role=Role.TRADER, origin="test")):
        with pytest.raises(ForbiddenError):
            set_square_off(session, actor, EARLY, reason="a test", now=NOW)
        with pytest.raises(ForbiddenError):
            add_blackout(session, actor, PAYROLLS, reason="a test")
        with pytest.raises(ForbiddenError):
            withdraw_blackout(session, actor, 1, reason="a test", now=NOW)
    with pytest.raises(InvalidInputError, match="why"):
        set_square_off(session, ADMIN, EARLY, reason=" ", now=NOW)
    with pytest.raises(InvalidInputError, match="why"):
        add_blackout(session, ADMIN, PAYROLLS, reason="")
    with pytest.raises(NotFoundError, match="999"):
        withdraw_square_off(session, ADMIN, 999, reason="a test", now=NOW)
    with pytest.raises(NotFoundError, match="999"):
        withdraw_blackout(session, ADMIN, 999, reason="a test", now=NOW)


@pytest.mark.parametrize("table", ["square_off_settings", "blackouts"])
@pytest.mark.parametrize("change", ["UPDATE {} SET reason = 'another'", "DELETE FROM {}", "TRUNCATE {}"])
def test_what_was_set_stays_on_record(session: Session, table: str, change: str) -> None:
    set_square_off(session, ADMIN, EARLY, reason="a test", now=NOW)

    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(text(change.format(table)))


def test_a_withdrawal_is_not_taken_back(session: Session) -> None:
    number = set_square_off(session, ADMIN, EARLY, reason="a test", now=NOW).number
    withdraw_square_off(session, ADMIN, number, reason="a test", now=NOW)

    undo = "UPDATE square_off_settings SET withdrawn_at = NULL, withdrawn_by = NULL, withdrawal_reason = NULL"
    with pytest.raises(IntegrityError, match="may only be withdrawn"), session.begin_nested():
        session.execute(text(f"{undo} WHERE id = {number}"))


def test_rows_that_cannot_be_read_are_named_and_take_nothing_with_them(session: Session) -> None:
    who = {"actor": "newer", "reason": "release"}
    savepoint = session.begin_nested()
    session.add(
        SquareOffSettingRow(
            venue="NSE", product="FUTURE", is_expiring=False, first_day=DAY, leave_at=time(14, 45), **who
        )
    )
    session.add(
        BlackoutRow(
            name="x",
            covers=["USD"],
            starts_at=NOW,
            ends_at=NOW + timedelta(hours=1),
            rule="NO_ENTRIES",
            lead_s=0,
            timezone="Nowhere/At",
            **who,
        )
    )
    session.flush()

    rules = TimeBook(load_calendar()).of_day(session, NSE, DAY)

    assert rules is not None
    assert [fault.rpartition(": ")[0].split(" ")[0] for fault in rules.faults] == ["square-off", "blackout"]
    assert [one.name for one in rules.blackouts] == ["forex weekend"]
    assert {phase.phase for phase in rules.schedule()} >= {Phase.SQUARE_OFF, Phase.CLOSE}
    savepoint.rollback()
