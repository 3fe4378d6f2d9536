"""Check the calendar files that Openbell ships against the published facts, trap by trap."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.domain.calendar import Calendar, CalendarExpiredError, SessionKind, TradingSession
from app.domain.instruments import Venue
from app.domain.phases import PhaseTimes, phase_schedule
from app.infra.calendars import load_calendar

INDIA = ZoneInfo("Asia/Kolkata")
NEW_YORK = ZoneInfo("America/New_York")
INDIAN_MARKETS = [(Venue.NSE, "FO"), (Venue.NSE, "CM"), (Venue.BSE, "FO")]


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return load_calendar()


def _session(calendar: Calendar, venue: Venue, segment: str, day: date) -> TradingSession:
    session = calendar.session(venue, segment, day)
    assert session is not None
    return session


def _hours(session: TradingSession, zone: ZoneInfo = INDIA) -> tuple[time, time]:
    return session.open_at.astimezone(zone).time(), session.close_at.astimezone(zone).time()


@pytest.mark.parametrize(
    ("segment", "day", "closes"),
    [
        ("FO", date(2025, 1, 1), time(15, 30)),
        ("FO", date(2026, 7, 31), time(15, 30)),
        ("FO", date(2026, 8, 3), time(15, 40)),
        ("FO", date(2026, 12, 4), time(15, 40)),
        ("FO", date(2026, 12, 7), time(15, 45)),
        ("FO", date(2026, 12, 31), time(15, 45)),
        ("CM", date(2026, 7, 31), time(15, 30)),
        ("CM", date(2026, 8, 3), time(15, 15)),
        ("CM", date(2026, 12, 4), time(15, 15)),
        ("CM", date(2026, 12, 7), time(15, 30)),
    ],
)
def test_close_follows_the_era(calendar: Calendar, segment: str, day: date, closes: time) -> None:
    assert _hours(_session(calendar, Venue.NSE, segment, day)) == (time(9, 15), closes)


def test_bse_derivatives_keep_the_hours_of_nse(calendar: Calendar) -> None:
    span = {"first": date(2025, 1, 1), "last": date(2026, 12, 31)}
    nse = [(s.open_at, s.close_at) for s in calendar.sessions_between(Venue.NSE, "FO", **span)]
    bse = [(s.open_at, s.close_at) for s in calendar.sessions_between(Venue.BSE, "FO", **span)]
    assert nse == bse


@pytest.mark.parametrize(("venue", "segment"), INDIAN_MARKETS)
@pytest.mark.parametrize(
    ("day", "hours", "is_confirmed"),
    [
        (date(2025, 2, 1), (time(9, 15), time(15, 30)), True),
        (date(2025, 10, 21), (time(13, 45), time(14, 45)), True),
        (date(2026, 2, 1), (time(9, 15), time(15, 30)), True),
        (date(2026, 11, 8), (time(18, 15), time(19, 15)), False),
    ],
)
def test_special_sessions_trade_in_every_indian_market(
    calendar: Calendar,
    *,
    venue: Venue,
    segment: str,
    day: date,
    hours: tuple[time, time],
    is_confirmed: bool,
) -> None:
    session = _session(calendar, venue, segment, day)
    assert (session.kind, _hours(session)) == (SessionKind.SPECIAL, hours)
    assert session.is_confirmed is is_confirmed


def test_december_2026_hours_are_marked_unconfirmed(calendar: Calendar) -> None:
    assert _session(calendar, Venue.NSE, "FO", date(2026, 12, 4)).is_confirmed
    assert not _session(calendar, Venue.NSE, "FO", date(2026, 12, 7)).is_confirmed


def test_weekday_closures_of_2026_are_the_published_sixteen(calendar: Calendar) -> None:
    closures = calendar.rules(Venue.NSE, "FO").closures
    assert [f"{day:%d %b}" for day in sorted(closures) if day.year == 2026] == [
        "15 Jan", "26 Jan", "03 Mar", "26 Mar", "31 Mar", "03 Apr", "14 Apr", "01 May",
        "28 May", "26 Jun", "14 Sep", "02 Oct", "20 Oct", "10 Nov", "24 Nov", "25 Dec",
    ]  # fmt: skip


def test_weekday_closures_of_2025_are_the_published_fourteen(calendar: Calendar) -> None:
    closures = calendar.rules(Venue.NSE, "FO").closures
    assert [f"{day:%d %b}" for day in sorted(closures) if day.year == 2025] == [
        "26 Feb", "14 Mar", "31 Mar", "10 Apr", "14 Apr", "18 Apr", "01 May", "15 Aug",
        "27 Aug", "02 Oct", "21 Oct", "22 Oct", "05 Nov", "25 Dec",
    ]  # fmt: skip


@pytest.mark.parametrize(("venue", "segment"), INDIAN_MARKETS)
def test_2027_fails_closed(calendar: Calendar, venue: Venue, segment: str) -> None:
    with pytest.raises(CalendarExpiredError, match="2025-01-01 to 2026-12-31, asked for 2027-01-01"):
        calendar.session(venue, segment, date(2027, 1, 1))
    with pytest.raises(CalendarExpiredError):
        calendar.next_session(venue, segment, datetime(2026, 12, 31, 12, tzinfo=UTC))
    with pytest.raises(CalendarExpiredError):
        calendar.expiries("NIFTY", first=date(2026, 12, 1), last=date(2027, 1, 5))


@pytest.mark.parametrize(
    ("underlying", "shifted"),
    [
        (
            "NIFTY",
            [
                "2025-10-21 -> 2025-10-20", "2026-03-03 -> 2026-03-02", "2026-03-31 -> 2026-03-30 M",
                "2026-04-14 -> 2026-04-13", "2026-10-20 -> 2026-10-19", "2026-11-10 -> 2026-11-09",
                "2026-11-24 -> 2026-11-23 M",
            ],
        ),
        (
            "SENSEX",
            [
                "2025-10-02 -> 2025-10-01", "2025-12-25 -> 2025-12-24 M", "2026-01-15 -> 2026-01-14",
                "2026-03-26 -> 2026-03-25 M", "2026-05-28 -> 2026-05-27 M",
            ],
        ),
    ],
)  # fmt: skip
def test_shifted_expiries_are_the_computed_ones(
    calendar: Calendar, underlying: str, shifted: list[str]
) -> None:
    found = calendar.expiries(underlying, first=date(2025, 9, 1), last=date(2026, 12, 31))
    assert [
        f"{expiry.nominal} -> {expiry.day}{' M' if expiry.is_monthly else ''}"
        for expiry in found
        if expiry.is_shifted
    ] == shifted


@pytest.mark.parametrize(
    ("underlying", "days"),
    [
        ("NIFTY", ["11-23 M", "12-01", "12-08", "12-15", "12-22", "12-29 M"]),
        ("SENSEX", ["11-26 M", "12-03", "12-10", "12-17", "12-24", "12-31 M"]),
        ("BANKNIFTY", ["11-23 M", "12-29 M"]),
    ],
)
def test_next_expiries_are_the_published_ones(calendar: Calendar, underlying: str, days: list[str]) -> None:
    found = calendar.expiries(underlying, first=date(2026, 11, 22), last=date(2026, 12, 31))
    assert [f"{expiry.day:%m-%d}{' M' if expiry.is_monthly else ''}" for expiry in found] == days


def test_november_monthly_expiry_is_a_monday(calendar: Calendar) -> None:
    monday = date(2026, 11, 23)
    expiry = calendar.expiries("NIFTY", first=monday, last=monday)[0]
    assert (expiry.day.strftime("%A"), expiry.is_monthly) == ("Monday", True)


def test_expiry_rules_before_september_2025_are_unknown(calendar: Calendar) -> None:
    with pytest.raises(CalendarExpiredError, match="begin on 2025-09-01"):
        calendar.expiries("NIFTY", first=date(2025, 8, 31), last=date(2025, 9, 30))


@pytest.mark.parametrize(
    ("day", "closes"),
    [
        (date(2026, 7, 28), time(15, 30)),
        (date(2026, 11, 23), time(15, 40)),
        (date(2026, 12, 8), time(15, 30)),
        (date(2026, 11, 8), time(19, 15)),
    ],
)
def test_expiring_index_contracts_stop_early_from_7_december(
    calendar: Calendar, day: date, closes: time
) -> None:
    stop = calendar.expiry_close(day, "NIFTY")
    assert stop is not None
    assert stop.astimezone(INDIA).time() == closes


def test_every_indian_square_off_starts_five_minutes_before_the_brokers(calendar: Calendar) -> None:
    times = PhaseTimes()
    for session in calendar.sessions_between(
        Venue.NSE, "FO", first=date(2025, 1, 1), last=date(2026, 12, 31)
    ):
        square_off = phase_schedule(session, times)[-2].due_at
        broker = datetime.combine(session.date, time(15, 20), tzinfo=INDIA)
        assert session.open_at < square_off < session.close_at
        assert square_off <= broker - timedelta(minutes=5) or session.open_at > broker


def test_binance_is_always_open_and_its_day_rolls_at_midnight_utc(calendar: Calendar) -> None:
    sunday = _session(calendar, Venue.BINANCE, "SPOT", date(2026, 11, 22))
    assert sunday.open_at == datetime(2026, 11, 22, tzinfo=UTC)
    assert sunday.close_at == datetime(2026, 11, 23, tzinfo=UTC)
    at_midnight = calendar.session_at(Venue.BINANCE, "SPOT", sunday.close_at)
    assert at_midnight is not None
    assert at_midnight.date == date(2026, 11, 23)


@pytest.mark.parametrize(
    ("at", "trading_date"),
    [
        (datetime(2026, 11, 22, 16, 59, tzinfo=NEW_YORK), None),
        (datetime(2026, 11, 22, 17, 0, tzinfo=NEW_YORK), date(2026, 11, 23)),
        (datetime(2026, 11, 23, 16, 58, tzinfo=NEW_YORK), date(2026, 11, 23)),
        (datetime(2026, 11, 23, 16, 59, tzinfo=NEW_YORK), None),
        (datetime(2026, 11, 23, 17, 4, tzinfo=NEW_YORK), None),
        (datetime(2026, 11, 23, 17, 5, tzinfo=NEW_YORK), date(2026, 11, 24)),
        (datetime(2026, 11, 27, 16, 59, tzinfo=NEW_YORK), date(2026, 11, 27)),
        (datetime(2026, 11, 27, 17, 0, tzinfo=NEW_YORK), None),
        (datetime(2026, 11, 28, 12, 0, tzinfo=NEW_YORK), None),
        (datetime(2026, 12, 24, 20, 0, tzinfo=NEW_YORK), None),
    ],
)
def test_forex_week_runs_from_sunday_to_friday_with_a_rollover_pause(
    calendar: Calendar, at: datetime, trading_date: date | None
) -> None:
    session = calendar.session_at(Venue.MT5, "FOREX", at.astimezone(UTC))
    assert (None if session is None else session.date) == trading_date


@pytest.mark.parametrize(
    ("monday", "utc_hour"),
    [(date(2026, 3, 2), 22), (date(2026, 3, 9), 21), (date(2026, 10, 26), 21), (date(2026, 11, 2), 22)],
)
def test_forex_open_follows_american_daylight_saving(calendar: Calendar, monday: date, utc_hour: int) -> None:
    opens = _session(calendar, Venue.MT5, "FOREX", monday).open_at
    assert opens == datetime.combine(monday - timedelta(days=1), time(utc_hour), tzinfo=UTC)


def test_next_forex_session_after_friday_opens_on_sunday(calendar: Calendar) -> None:
    friday = datetime(2026, 11, 27, 17, tzinfo=NEW_YORK).astimezone(UTC)
    assert calendar.next_session(Venue.MT5, "FOREX", friday).date == date(2026, 11, 30)
