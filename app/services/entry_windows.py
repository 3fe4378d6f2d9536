"""Say when entries may leave: from the bell until the square-off, within what else bounds a market's day."""

from datetime import date

import structlog

from app.db.risk_state import EntryWindow
from app.db.session import Database
from app.domain.calendar import CalendarExpiredError
from app.domain.errors import InvalidInputError
from app.domain.markets import Market
from app.domain.phases import Phase
from app.services.time_book import TimeBook

log = structlog.get_logger()
_CLOSED = EntryWindow(opens_at=None, closes_at=None)


class EntryWindows:
    """Read the window of a day from what decides by the clock. Thread-safe."""

    def __init__(self, database: Database, times: TimeBook) -> None:
        self._database = database
        self._times = times

    def __call__(self, market: Market, day: date) -> EntryWindow:
        """Return the window; closed without a session, and where nothing can be read of it: exits go on."""
        try:
            with self._database.begin() as session:
                rules = self._times.of_day(session, market, day)
        except (CalendarExpiredError, InvalidInputError):
            log.exception("entry_window_unreadable", day=day.isoformat(), venue=market.venue)
            return _CLOSED
        if rules is None:
            return _CLOSED
        due = {planned.phase: planned.due_at for planned in rules.schedule()}
        return EntryWindow(opens_at=due.get(Phase.BELL), closes_at=due.get(Phase.SQUARE_OFF), rules=rules)
