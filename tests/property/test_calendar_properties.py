"""Check the calendar and the phases for every date, session and setting in range."""

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.domain.calendar import SessionKind, TradingSession
from app.domain.instruments import Venue
from app.domain.phases import BROKER_MARGIN, INDIA, LoginAt, Phase, PhaseTimes, phase_schedule
from app.infra.calendars import load_calendar

CALENDAR = load_calendar()
NSE = (Venue.NSE, "FO")
MARKETS = st.sampled_from(sorted(CALENDAR.markets))
MOMENTS = st.datetimes(datetime(2025, 1, 3), datetime(2026, 12, 20), timezones=st.just(UTC))  # noqa: DTZ001  # Hypothesis wants naive bounds
DAYS = st.dates(date(2025, 1, 3), date(2026, 12, 20))
EXPIRY_DAYS = st.dates(date(2025, 9, 1), date(2026, 12, 31))
MINUTES = st.integers(1, 600).map(lambda minutes: timedelta(minutes=minutes))


@st.composite
def sessions(draw: st.DrawFn) -> TradingSession:
    """Draw a session of 1 to 600 minutes at any time of an Indian day."""
    day = draw(DAYS)
    opens = datetime.combine(day, draw(st.times(max_value=time(23, 59))), tzinfo=INDIA).astimezone(UTC)
    return TradingSession(
        venue=Venue.NSE,
        segment="FO",
        date=day,
        open_at=opens,
        close_at=opens + draw(MINUTES),
        kind=SessionKind.INJECTED,
        source="property",
    )


@st.composite
def phase_times(draw: st.DrawFn) -> PhaseTimes:
    """Draw any settings that are allowed."""
    before_open = sorted(draw(st.lists(MINUTES, min_size=4, max_size=4)), reverse=True)
    return PhaseTimes(
        prepare_before_open=before_open[0],
        login_before_open=before_open[1],
        verify_before_open=before_open[2],
        arm_before_open=before_open[3],
        login_at=draw(st.sampled_from(LoginAt)),
        last_entry_before_square_off=draw(MINUTES),
        square_off_before_close=draw(st.none() | MINUTES),
        broker_square_off=draw(st.none() | st.times()),
        square_off_before_broker=BROKER_MARGIN + draw(MINUTES),
    )


@given(market=MARKETS, at=MOMENTS)
def test_open_market_has_exactly_one_session_at_that_moment(market: tuple[Venue, str], at: datetime) -> None:
    two_days = timedelta(days=2)
    near = CALENDAR.sessions_between(*market, first=at.date() - two_days, last=at.date() + two_days)
    holding = [session for session in near if session.contains(at)]
    assert holding == [session for session in [CALENDAR.session_at(*market, at)] if session is not None]
    assert CALENDAR.is_open(*market, at) is bool(holding)


@given(market=MARKETS, at=MOMENTS)
def test_next_session_is_the_first_one_after_the_moment(market: tuple[Venue, str], at: datetime) -> None:
    found = CALENDAR.next_session(*market, at)
    between = CALENDAR.sessions_between(*market, first=at.date(), last=found.date)
    assert found.open_at > at
    assert [session for session in between if session.open_at > at] == [found]


@given(day=DAYS)
def test_previous_trading_day_leaves_no_session_between(day: date) -> None:
    previous = CALENDAR.previous_trading_day(*NSE, day)
    found = CALENDAR.sessions_between(*NSE, first=previous, last=day - timedelta(days=1))
    assert [session.date for session in found] == [previous]


@given(bounds=st.tuples(EXPIRY_DAYS, EXPIRY_DAYS).map(sorted), cut=EXPIRY_DAYS)
def test_expiries_of_two_halves_are_those_of_the_whole(bounds: list[date], cut: date) -> None:
    first, last = bounds
    middle = min(max(cut, first), last)
    whole = CALENDAR.expiries("NIFTY", first=first, last=last)
    left = CALENDAR.expiries("NIFTY", first=first, last=middle)
    right = CALENDAR.expiries("NIFTY", first=middle, last=last)
    assert tuple(sorted({*left, *right}, key=lambda expiry: expiry.day)) == whole


@given(bounds=st.tuples(EXPIRY_DAYS, EXPIRY_DAYS).map(sorted))
def test_every_expiry_is_a_regular_session_on_or_before_its_nominal_day(bounds: list[date]) -> None:
    for expiry in CALENDAR.expiries("SENSEX", first=bounds[0], last=bounds[1]):
        session = CALENDAR.session(Venue.BSE, "FO", expiry.day)
        assert session is not None
        assert session.kind is SessionKind.REGULAR
        assert timedelta(0) <= expiry.nominal - expiry.day < timedelta(days=7)


@given(session=sessions())
def test_injected_session_is_what_the_calendar_answers(session: TradingSession) -> None:
    calendar = CALENDAR.with_injected([session])
    assert calendar.session(*NSE, session.date) == session
    assert calendar.session(Venue.BSE, "FO", session.date) == CALENDAR.session(Venue.BSE, "FO", session.date)


@given(session=sessions(), times=phase_times())
def test_phases_are_due_in_their_order_and_never_expire_before(
    session: TradingSession, times: PhaseTimes
) -> None:
    schedule = phase_schedule(session, times)
    order = [phase for phase in Phase if phase in {row.phase for row in schedule}]
    assert [row.phase for row in schedule] == order
    assert [row.due_at for row in schedule] == sorted(row.due_at for row in schedule)
    assert all(row.due_at <= row.expires_at for row in schedule)


@given(session=sessions(), times=phase_times())
def test_square_off_is_early_enough_for_the_broker_and_inside_the_session(
    session: TradingSession, times: PhaseTimes
) -> None:
    square_off = [row.due_at for row in phase_schedule(session, times) if row.phase is Phase.SQUARE_OFF]
    assert len(square_off) == (times.square_off_before_close is not None)
    for due in square_off:
        assert session.open_at <= due < session.close_at
        if times.broker_square_off is not None:
            broker = datetime.combine(session.date, times.broker_square_off, tzinfo=INDIA)
            assert due <= max(session.open_at, broker - BROKER_MARGIN) or broker <= session.open_at


@given(session=sessions(), times=phase_times())
def test_no_entry_is_due_once_the_square_off_is(session: TradingSession, times: PhaseTimes) -> None:
    rows = {row.phase: row for row in phase_schedule(session, times)}
    end = rows.get(Phase.SQUARE_OFF, rows[Phase.CLOSE]).due_at
    assert rows[Phase.BELL].expires_at <= end
