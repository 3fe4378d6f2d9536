"""Compare the shipped calendar with independent packages, every known difference listed by name.

A new difference fails, and so does a listed one that vanished: then the package was mended, or ours broke.
"""

from datetime import UTC, date, datetime, time, timedelta

import exchange_calendars
import pandas_market_calendars
import pytest
from nse_calendar.calendar import NSETradingCalendar

from app.domain.calendar import Calendar
from app.domain.instruments import Venue
from app.infra.calendars import load_calendar

FIRST, LAST = date(2025, 1, 1), date(2026, 12, 31)
DAYS = [FIRST + timedelta(days=offset) for offset in range((LAST - FIRST).days + 1)]

MUHURAT_2025 = date(2025, 10, 21)
BUDGET_SATURDAY_2025 = date(2025, 2, 1)
BUDGET_SUNDAY_2026 = date(2026, 2, 1)
MUHURAT_2026 = date(2026, 11, 8)
FIRST_DAY_OF_CLOSING_AUCTION = date(2026, 8, 3)
FIRST_DAY_OF_REVISED_AUCTION = date(2026, 12, 7)


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return load_calendar()


def _ours(calendar: Calendar, venue: Venue, segment: str) -> set[date]:
    return {session.date for session in calendar.sessions_between(venue, segment, first=FIRST, last=LAST)}


@pytest.mark.parametrize(("venue", "segment"), [(Venue.NSE, "FO"), (Venue.NSE, "CM"), (Venue.BSE, "FO")])
def test_trading_days_differ_from_exchange_calendars_by_name_only(
    calendar: Calendar, venue: Venue, segment: str
) -> None:
    package = exchange_calendars.get_calendar("XBOM", start=str(FIRST), end=str(LAST))
    theirs = {stamp.date() for stamp in package.sessions}
    assert _ours(calendar, venue, segment) ^ theirs == {
        MUHURAT_2025,  # the package omits Muhurat sessions
        BUDGET_SUNDAY_2026,  # the package omits the Sunday session
        MUHURAT_2026,  # the package omits Muhurat sessions
    }


@pytest.mark.parametrize(("venue", "segment"), [(Venue.NSE, "FO"), (Venue.NSE, "CM"), (Venue.BSE, "FO")])
def test_trading_days_differ_from_nse_trading_calendar_by_name_only(
    calendar: Calendar, venue: Venue, segment: str
) -> None:
    package = NSETradingCalendar()
    theirs = {day for day in DAYS if package.get_trading_day_info(day)[0]}
    assert _ours(calendar, venue, segment) ^ theirs == {
        MUHURAT_2026,  # the package omits it
    }


def test_special_sessions_differ_from_nse_trading_calendar_by_name_only(calendar: Calendar) -> None:
    package = NSETradingCalendar()
    theirs = {day for day in DAYS if package.get_trading_day_info(day) == (True, 1)}
    assert set(calendar.rules(Venue.NSE, "FO").specials) ^ theirs == {
        BUDGET_SATURDAY_2025,  # the package calls normal hours on a Saturday normal
        BUDGET_SUNDAY_2026,  # the package calls normal hours on a Sunday normal
        MUHURAT_2026,  # the package omits it
    }


def test_hours_differ_from_pandas_market_calendars_by_name_only(calendar: Calendar) -> None:
    schedule = pandas_market_calendars.get_calendar("NSE").schedule(str(FIRST), str(LAST))
    theirs = {
        stamp.date(): (opens.to_pydatetime(), closes.to_pydatetime())
        for stamp, opens, closes in zip(
            schedule.index, schedule["market_open"], schedule["market_close"], strict=True
        )
    }
    ours = {
        session.date: (session.open_at, session.close_at)
        for session in calendar.sessions_between(Venue.NSE, "FO", first=FIRST, last=LAST)
    }
    assert set(ours) ^ set(theirs) == {
        BUDGET_SATURDAY_2025,  # the package omits week-end sessions
        BUDGET_SUNDAY_2026,  # the package omits week-end sessions
        MUHURAT_2026,  # the package omits it
    }
    shared = set(ours) & set(theirs)
    assert {day for day in shared if ours[day] != theirs[day]} == {
        day
        for day in shared
        if day >= FIRST_DAY_OF_CLOSING_AUCTION  # the package still closes at 15:30
    }
    assert theirs[FIRST_DAY_OF_REVISED_AUCTION][1] == datetime.combine(
        FIRST_DAY_OF_REVISED_AUCTION, time(10), tzinfo=UTC
    )
