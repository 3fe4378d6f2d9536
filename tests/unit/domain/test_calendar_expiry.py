"""Check expiry dates and the early stop of expiring contracts."""

from dataclasses import replace
from datetime import date

import pytest

from app.domain.calendar import Calendar, CalendarExpiredError
from app.domain.errors import ConfigError
from tests.unit.domain.calendars import (
    HOLIDAY,
    LATER_HOURS,
    SUNDAY_SESSION,
    expiry_rule,
    injected_session,
    ist,
    small_calendar,
)

EARLY_TUESDAY = date(2026, 1, 6)
LATER_TUESDAY = date(2026, 2, 3)


def test_expiry_on_a_holiday_moves_to_the_previous_trading_day() -> None:
    found = small_calendar().expiries("NIFTY", first=date(2026, 1, 5), last=date(2026, 1, 31))
    assert [(expiry.nominal.day, expiry.day.day) for expiry in found] == [
        (6, 6),
        (13, 12),
        (20, 20),
        (27, 27),
    ]
    assert [expiry.is_shifted for expiry in found] == [False, True, False, False]
    assert [expiry.is_monthly for expiry in found] == [False, False, False, True]


def test_expiry_is_found_by_its_actual_day() -> None:
    calendar = small_calendar()
    monday = date(2026, 1, 12)
    assert [e.day for e in calendar.expiries("NIFTY", first=monday, last=monday)] == [monday]
    assert calendar.expiries("NIFTY", first=HOLIDAY, last=HOLIDAY) == ()


def test_index_without_weeklies_expires_on_the_last_weekday_of_the_month() -> None:
    found = small_calendar().expiries("BANKNIFTY", first=date(2026, 1, 5), last=date(2026, 3, 31))
    assert [expiry.day for expiry in found] == [date(2026, 1, 27), date(2026, 2, 24), date(2026, 3, 31)]


def test_newer_rule_takes_over_on_its_date() -> None:
    thursday = expiry_rule(since=date(2026, 1, 19), weekday=3)
    calendar = replace(small_calendar(), expiry_rules=(thursday, expiry_rule()))
    found = calendar.expiries("NIFTY", first=date(2026, 1, 5), last=date(2026, 1, 31))
    assert [expiry.day.day for expiry in found] == [6, 12, 22, 29]


def test_special_session_is_no_expiry_day() -> None:
    sunday = expiry_rule(weekday=SUNDAY_SESSION.weekday())
    calendar = replace(small_calendar(), expiry_rules=(sunday,))
    found = calendar.expiries("NIFTY", first=date(2026, 1, 12), last=SUNDAY_SESSION)
    assert [(expiry.nominal, expiry.day) for expiry in found] == [(SUNDAY_SESSION, date(2026, 1, 16))]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 1, 1), date(2026, 1, 31)),
        (date(2025, 12, 31), date(2026, 1, 31)),
        (date(2026, 1, 5), date(2026, 4, 1)),
    ],
)
def test_expiries_outside_what_is_known_raise(first: date, last: date) -> None:
    with pytest.raises(CalendarExpiredError):
        small_calendar().expiries("NIFTY", first=first, last=last)


def test_unknown_underlying_raises_and_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"\(BANKNIFTY, NIFTY\), got RELIANCE"):
        small_calendar().expiry_close(EARLY_TUESDAY, "RELIANCE")


def test_expiring_contracts_stop_with_the_session_before_the_exception() -> None:
    assert small_calendar().expiry_close(EARLY_TUESDAY, "NIFTY") == ist(EARLY_TUESDAY, 15, 30)


def test_expiring_contracts_stop_early_under_the_exception() -> None:
    calendar = small_calendar()
    assert calendar.expiry_close(LATER_TUESDAY, "NIFTY") == ist(LATER_TUESDAY, 15, 30)
    assert calendar.expiry_close(LATER_HOURS, "NIFTY") == ist(LATER_HOURS, 15, 30)


def test_expiring_contracts_of_an_evening_session_stop_at_its_close() -> None:
    evening = injected_session(LATER_TUESDAY, ist(LATER_TUESDAY, 18), ist(LATER_TUESDAY, 19))
    calendar = small_calendar().with_injected([evening])
    assert calendar.expiry_close(LATER_TUESDAY, "NIFTY") == ist(LATER_TUESDAY, 19)


def test_expiring_contracts_never_outlive_a_shortened_session() -> None:
    short = injected_session(LATER_TUESDAY, ist(LATER_TUESDAY, 9, 15), ist(LATER_TUESDAY, 12))
    calendar = small_calendar().with_injected([short])
    assert calendar.expiry_close(LATER_TUESDAY, "NIFTY") == ist(LATER_TUESDAY, 12)


def test_closed_day_has_no_expiry_close() -> None:
    assert small_calendar().expiry_close(HOLIDAY, "NIFTY") is None


def test_calendar_without_exceptions_uses_the_session_close() -> None:
    calendar = Calendar(markets=small_calendar().markets, expiry_rules=(expiry_rule(),))
    assert calendar.expiry_close(LATER_TUESDAY, "NIFTY") == ist(LATER_TUESDAY, 15, 45)
