"""Announce trading sessions that the calendar does not know: a special day, a reopening after a halt."""

from datetime import UTC, date, datetime, time

from sqlalchemy.orm import Session

from app.db.sessions import put_injected_session
from app.domain.calendar import Calendar
from app.domain.calendar_rules import SessionKind, TradingSession
from app.domain.errors import InvalidInputError
from app.domain.instruments import Venue
from app.domain.users import Actor, require_admin
from app.services.acts import record


def inject_session(session: Session, actor: Actor, trading_session: TradingSession) -> None:
    """Announce a session; it replaces what the calendar says for its market and date.

    Raises: ForbiddenError; InvalidInputError without a reason.
    """
    require_admin(actor)
    if not trading_session.notes.strip():
        raise InvalidInputError("expected a reason for the injected session, got none")
    put_injected_session(session, trading_session, actor=actor.name)
    record(
        session,
        actor,
        "session.injected",
        subject=f"session {trading_session.venue}.{trading_session.segment} {trading_session.date}",
        reason=trading_session.notes,
        open_at=trading_session.open_at.isoformat(),
        close_at=trading_session.close_at.isoformat(),
    )


def announced_session(
    calendar: Calendar, venue: Venue, segment: str, *, day: date, hours: tuple[time, time], reason: str
) -> TradingSession:
    """Return a session from the venue's own date and hours.

    Raises: ConfigError for an unknown market, or a close that does not follow the open.
    """
    zone = calendar.rules(venue, segment).timezone
    opens, closes = hours
    return TradingSession(
        venue=venue,
        segment=segment,
        date=day,
        open_at=datetime.combine(day, opens, zone).astimezone(UTC),
        close_at=datetime.combine(day, closes, zone).astimezone(UTC),
        kind=SessionKind.INJECTED,
        source="injected",
        notes=reason,
    )
