"""Build what decides by the clock on a trading date: the calendar, and what people have set."""

from collections.abc import Mapping
from datetime import date, datetime

import structlog
from sqlalchemy.orm import Session

from app.db.day import injected_sessions
from app.db.times import read_blackouts, read_square_off_settings
from app.domain.calendar import Calendar, CalendarExpiredError
from app.domain.calendar_rules import TradingSession
from app.domain.ids import InstrumentId
from app.domain.instruments import index_id
from app.domain.markets import Market
from app.domain.time_bounds import TimeRules

log = structlog.get_logger()


class TimeBook:
    """Read the rules anew at each question, so that what people set binds at once. Thread-safe."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar

    def of_day(self, session: Session, market: Market, day: date) -> TimeRules | None:
        """Return the rules of a market's trading date, None when it is closed.

        Raises:
            CalendarExpiredError: nobody knows whether it is.
        """
        calendar = self._calendar.with_injected(injected_sessions(session))
        trading = calendar.session(market.venue, market.segment, day)
        if trading is None:
            return None
        settings, bad_settings = read_square_off_settings(session, market.venues, day)
        blackouts, bad_blackouts = read_blackouts(session, trading.open_at)
        faults = (*bad_settings, *bad_blackouts)
        if faults:
            log.error("times_unreadable", venue=market.venue, faults=faults)
        return TimeRules(
            market=market,
            session=trading,
            settings=settings,
            blackouts=blackouts,
            index_closes=_index_closes(calendar, market, trading),
            faults=faults,
        )

    def find_day(self, session: Session, market: Market, day: date) -> TimeRules | None:
        """Return the same, None also where the calendar does not cover the date; for what is only shown."""
        try:
            return self.of_day(session, market, day)
        except CalendarExpiredError:
            return None


def _index_closes(
    calendar: Calendar, market: Market, trading: TradingSession
) -> Mapping[InstrumentId, datetime]:
    """Return until when index options trade that expire on the date; they trade in the market's session."""
    closes: dict[InstrumentId, datetime] = {}
    for rule in calendar.expiry_rules:
        if rule.venue not in market.venues:
            continue
        try:
            early = calendar.expiry_close(trading.date, rule.underlying)
        except CalendarExpiredError:
            early = None  # a session was injected beyond the files, and for another venue of the market
        closes[index_id(rule.underlying, rule.venue)] = early or trading.close_at
    return closes
