"""Check the calendar's answers on a small set of rules with every kind of exception."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.domain.calendar import Calendar, CalendarExpiredError, SessionKind, TradingSession
from app.domain.errors import ConfigError
from app.domain.instruments import Venue
from tests.unit.domain.calendars import (
    HOLIDAY,
    LATER_HOURS,
    SUNDAY_SESSION,
    injected_session,
    ist,
    nse_rules,
    small_calendar,
)

MONDAY = date(2026, 1, 12)
LAST_DAY = date(2026, 3, 31)


def _session(calendar: Calendar, day: date) -> TradingSession:
    session = calendar.session(Venue.NSE, "FO", day)
    assert session is not None
    return session


def test_weekday_has_the_hours_of_its_era() -> None:
    calendar = small_calendar()
    early, later = _session(calendar, MONDAY), _session(calendar, LATER_HOURS)
    assert (early.open_at, early.close_at) == (ist(MONDAY, 9, 15), ist(MONDAY, 15, 30))
    assert (later.open_at, later.close_at) == (ist(LATER_HOURS, 9, 15), ist(LATER_HOURS, 15, 45))
    assert (early.kind, early.source, later.source) == (SessionKind.REGULAR, "early", "later")
    assert early.market == "NSE.FO"


def test_session_times_are_utc() -> None:
    session = _session(small_calendar(), MONDAY)
    assert session.open_at == datetime(2026, 1, 12, 3, 45, tzinfo=UTC)
    assert session.open_at.tzinfo is UTC


def test_holiday_and_weekend_have_no_session() -> None:
    calendar = small_calendar()
    assert calendar.session(Venue.NSE, "FO", HOLIDAY) is None
    assert calendar.session(Venue.NSE, "FO", date(2026, 1, 17)) is None


def test_special_session_opens_a_sunday() -> None:
    session = _session(small_calendar(), SUNDAY_SESSION)
    assert session.kind is SessionKind.SPECIAL
    assert (session.open_at, session.notes) == (ist(SUNDAY_SESSION, 18, 15), "Muhurat")


@pytest.mark.parametrize("day", [date(2025, 12, 31), date(2026, 4, 1)])
def test_date_outside_the_files_raises_instead_of_guessing(day: date) -> None:
    with pytest.raises(CalendarExpiredError, match=r"covers 2026-01-01 to 2026-03-31, asked for"):
        small_calendar().session(Venue.NSE, "FO", day)


def test_first_and_last_valid_dates_are_answered() -> None:
    calendar = small_calendar()
    assert _session(calendar, date(2026, 1, 1)).source == "early"
    assert _session(calendar, LAST_DAY).source == "later"


def test_unknown_market_raises_and_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"calendar \(NSE\.FO\), got BSE\.FO"):
        small_calendar().session(Venue.BSE, "FO", MONDAY)


def test_open_belongs_to_the_session_and_close_does_not() -> None:
    calendar = small_calendar()
    instant = timedelta(microseconds=1)
    session = _session(calendar, MONDAY)
    assert calendar.is_open(Venue.NSE, "FO", session.open_at)
    assert not calendar.is_open(Venue.NSE, "FO", session.open_at - instant)
    assert calendar.is_open(Venue.NSE, "FO", session.close_at - instant)
    assert not calendar.is_open(Venue.NSE, "FO", session.close_at)
    assert calendar.session_at(Venue.NSE, "FO", session.open_at) == session


def test_market_is_closed_on_a_holiday_at_noon() -> None:
    assert not small_calendar().is_open(Venue.NSE, "FO", ist(HOLIDAY, 12))


def test_last_valid_evening_is_closed_without_asking_the_next_year() -> None:
    assert not small_calendar().is_open(Venue.NSE, "FO", ist(LAST_DAY, 20))


def test_next_session_skips_holidays_and_weekends() -> None:
    calendar = small_calendar()
    open_at = _session(calendar, MONDAY).open_at
    assert calendar.next_session(Venue.NSE, "FO", open_at - timedelta(seconds=1)).date == MONDAY
    assert calendar.next_session(Venue.NSE, "FO", open_at).date == date(2026, 1, 14)
    assert calendar.next_session(Venue.NSE, "FO", ist(date(2026, 1, 16), 20)).date == SUNDAY_SESSION


def test_next_session_beyond_the_files_raises() -> None:
    with pytest.raises(CalendarExpiredError):
        small_calendar().next_session(Venue.NSE, "FO", ist(LAST_DAY, 9, 15))


def test_sessions_between_includes_both_ends() -> None:
    found = small_calendar().sessions_between(Venue.NSE, "FO", first=MONDAY, last=date(2026, 1, 19))
    assert [session.date.day for session in found] == [12, 14, 15, 16, 18, 19]


def test_previous_trading_day_skips_closed_days() -> None:
    calendar = small_calendar()
    assert calendar.previous_trading_day(Venue.NSE, "FO", date(2026, 1, 14)) == MONDAY
    assert calendar.previous_trading_day(Venue.NSE, "FO", date(2026, 1, 19)) == SUNDAY_SESSION


def test_previous_trading_day_before_the_files_raises() -> None:
    with pytest.raises(CalendarExpiredError):
        small_calendar().previous_trading_day(Venue.NSE, "FO", date(2026, 1, 1))


def test_injected_session_replaces_the_files() -> None:
    reopened = injected_session(MONDAY, ist(MONDAY, 11), ist(MONDAY, 17))
    before = small_calendar()
    calendar = before.with_injected([reopened])
    assert _session(calendar, MONDAY) == reopened
    assert calendar.is_open(Venue.NSE, "FO", ist(MONDAY, 16))
    assert not calendar.is_open(Venue.NSE, "FO", ist(MONDAY, 10))
    assert _session(before, MONDAY).kind is SessionKind.REGULAR


def test_injected_session_opens_a_closed_day_and_a_date_beyond_the_files() -> None:
    beyond = date(2019, 1, 3)
    calendar = small_calendar().with_injected(
        [injected_session(day, ist(day, 9, 15), ist(day, 15, 30)) for day in (HOLIDAY, beyond)]
    )
    assert calendar.is_open(Venue.NSE, "FO", ist(HOLIDAY, 12))
    assert calendar.is_open(Venue.NSE, "FO", ist(beyond, 12))
    assert calendar.next_session(Venue.NSE, "FO", ist(beyond, 8)).date == beyond


def test_later_injection_replaces_an_earlier_one() -> None:
    first = injected_session(MONDAY, ist(MONDAY, 11), ist(MONDAY, 17))
    second = injected_session(MONDAY, ist(MONDAY, 12), ist(MONDAY, 17))
    calendar = small_calendar().with_injected([first]).with_injected([second])
    assert _session(calendar, MONDAY) == second


def test_injections_for_other_dates_stay() -> None:
    calendar = small_calendar()
    for day in (MONDAY, HOLIDAY):
        calendar = calendar.with_injected([injected_session(day, ist(day, 11), ist(day, 17))])
    assert _session(calendar, MONDAY).kind is _session(calendar, HOLIDAY).kind is SessionKind.INJECTED


def test_only_injected_sessions_can_be_injected() -> None:
    with pytest.raises(ConfigError, match="expected an INJECTED session, got REGULAR"):
        small_calendar().with_injected([_session(small_calendar(), MONDAY)])


def test_session_for_an_unknown_market_cannot_be_injected() -> None:
    session = injected_session(MONDAY, ist(MONDAY, 11), ist(MONDAY, 17))
    with pytest.raises(ConfigError, match=r"got NSE\.FO"):
        Calendar(markets={}).with_injected([session])


def test_session_rejects_a_close_before_its_open() -> None:
    with pytest.raises(ConfigError, match="expected the close after the open"):
        injected_session(MONDAY, ist(MONDAY, 11), ist(MONDAY, 11))


@pytest.mark.parametrize("zone", [None, ZoneInfo("Asia/Kolkata")])
def test_session_rejects_times_that_are_not_utc(zone: ZoneInfo | None) -> None:
    opens = datetime(2026, 1, 12, 9, 15, tzinfo=zone)
    with pytest.raises(ConfigError, match="expected open_at in UTC"):
        injected_session(MONDAY, opens, ist(MONDAY, 17))


def test_rules_say_until_when_they_are_valid() -> None:
    assert small_calendar().rules(Venue.NSE, "FO") == nse_rules()
    assert small_calendar().rules(Venue.NSE, "FO").valid_until == LAST_DAY
