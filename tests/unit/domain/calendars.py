"""Build small calendars for tests of the pure domain, without any file."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from app.domain.calendar import Calendar, MarketRules, SessionKind, TradingSession
from app.domain.calendar_expiry import ExpiringClose, ExpiryRule
from app.domain.calendar_rules import Closure, SpecialHours, WeeklyHours
from app.domain.instruments import Venue

INDIA = ZoneInfo("Asia/Kolkata")
WEEKDAYS = frozenset(range(5))
HOLIDAY = date(2026, 1, 13)
"""A Tuesday, so that the weekly expiry moves to Monday the 12th."""
SUNDAY_SESSION = date(2026, 1, 18)
LATER_HOURS = date(2026, 2, 2)


def ist(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """Return an Indian wall-clock time as aware UTC."""
    return datetime.combine(day, time(hour, minute, second), tzinfo=INDIA).astimezone(UTC)


def nse_rules() -> MarketRules:
    """Return two eras, one holiday and one Sunday session, valid for the first quarter of 2026."""
    return MarketRules(
        venue=Venue.NSE,
        segment="FO",
        timezone=INDIA,
        valid_from=date(2026, 1, 1),
        valid_until=date(2026, 3, 31),
        hours=(
            WeeklyHours(
                since=LATER_HOURS, weekdays=WEEKDAYS, opens=time(9, 15), closes=time(15, 45), source="later"
            ),
            WeeklyHours(
                since=date(2026, 1, 1),
                weekdays=WEEKDAYS,
                opens=time(9, 15),
                closes=time(15, 30),
                source="early",
            ),
        ),
        closures={HOLIDAY: Closure(day=HOLIDAY, reason="holiday", source="test")},
        specials={
            SUNDAY_SESSION: SpecialHours(
                day=SUNDAY_SESSION, opens=time(18, 15), closes=time(19, 15), notes="Muhurat", source="test"
            )
        },
    )


def expiry_rule(**changes: object) -> ExpiryRule:
    """Return the Tuesday rule of NIFTY, with some fields replaced."""
    fields: dict[str, object] = {
        "underlying": "NIFTY",
        "venue": Venue.NSE,
        "segment": "FO",
        "since": date(2026, 1, 5),
        "weekday": 1,
        "has_weeklies": True,
        "source": "test",
    }
    return ExpiryRule(**{**fields, **changes})  # type: ignore[arg-type]  # a test builder


def small_calendar() -> Calendar:
    """Return the NSE rules with Tuesday expiries that stop at 15:30 from the later hours on."""
    return Calendar(
        markets={(Venue.NSE, "FO"): nse_rules()},
        expiry_rules=(expiry_rule(), expiry_rule(underlying="BANKNIFTY", has_weeklies=False)),
        expiring_closes=(
            ExpiringClose(
                venue=Venue.BSE, segment="FO", since=LATER_HOURS, closes=time(10, 0), source="test"
            ),
            ExpiringClose(
                venue=Venue.NSE, segment="FO", since=LATER_HOURS, closes=time(15, 30), source="test"
            ),
        ),
    )


def injected_session(day: date, opens: datetime, closes: datetime) -> TradingSession:
    """Return what an operator enters when the exchange announces a session at short notice."""
    return TradingSession(
        venue=Venue.NSE,
        segment="FO",
        date=day,
        open_at=opens,
        close_at=closes,
        kind=SessionKind.INJECTED,
        source="operator",
    )
