"""Say when entries may leave: from the bell until the square-off of a market's day."""

from datetime import date

import structlog

from app.db.day import injected_sessions
from app.db.risk_state import EntryWindow
from app.db.session import Database
from app.domain.calendar import Calendar, CalendarExpiredError
from app.domain.markets import Market
from app.domain.phases import Phase, phase_schedule

log = structlog.get_logger()
_CLOSED = EntryWindow(opens_at=None, closes_at=None)


class EntryWindows:
    """Read the window of a day from the calendar and the injected sessions. Thread-safe."""

    def __init__(self, database: Database, calendar: Calendar) -> None:
        self._database = database
        self._calendar = calendar

    def __call__(self, market: Market, day: date) -> EntryWindow:
        """Return the window; closed on a day without a session, and past the calendar's end: exits go on."""
        with self._database.begin() as session:
            calendar = self._calendar.with_injected(injected_sessions(session))
        try:
            trading_session = calendar.session(market.venue, market.segment, day)
        except CalendarExpiredError:
            log.exception("calendar_expired", day=day.isoformat(), venue=market.venue)
            return _CLOSED
        if trading_session is None:
            return _CLOSED
        due = {planned.phase: planned.due_at for planned in phase_schedule(trading_session, market.times)}
        return EntryWindow(opens_at=due.get(Phase.BELL), closes_at=due.get(Phase.SQUARE_OFF))
