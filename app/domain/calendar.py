"""Answer every question about sessions and trading days from one immutable value, loaded from dated files."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from app.domain.calendar_expiry import ExpiringClose, Expiry, ExpiryRule, list_expiries
from app.domain.calendar_rules import (
    ONE_DAY,
    CalendarExpiredError,
    MarketRules,
    SessionKind,
    TradingSession,
)
from app.domain.errors import ConfigError
from app.domain.instruments import Venue

__all__ = ["Calendar", "CalendarExpiredError", "Expiry", "MarketRules", "SessionKind", "TradingSession"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Hold the rules of all markets and the sessions that an operator injected.

    Trading dates are the venue's own. An unknown market or underlying raises `ConfigError`; a date outside
    the files' validity raises `CalendarExpiredError`, unless a session was injected for exactly that date.
    """

    markets: Mapping[tuple[Venue, str], MarketRules]
    expiry_rules: tuple[ExpiryRule, ...] = ()
    expiring_closes: tuple[ExpiringClose, ...] = ()
    injected: Mapping[tuple[Venue, str, date], TradingSession] = field(default_factory=dict)

    def rules(self, venue: Venue, segment: str) -> MarketRules:
        """Return a market's rules, which also say until when they are valid."""
        found = self.markets.get((venue, segment))
        if found is None:
            known = ", ".join(sorted(rules.market for rules in self.markets.values()))
            raise ConfigError(f"expected a market of the calendar ({known}), got {venue}.{segment}")
        return found

    def session(self, venue: Venue, segment: str, day: date) -> TradingSession | None:
        """Return the session of a trading date, or None when the market is closed."""
        rules = self.rules(venue, segment)
        injected = self.injected.get((venue, segment, day))
        return rules.session(day) if injected is None else injected

    def session_at(self, venue: Venue, segment: str, at: datetime) -> TradingSession | None:
        """Return the session that is open at a moment, or None."""
        for day in self.rules(venue, segment).candidate_days(at):
            session = self.session(venue, segment, day)
            if session is not None and session.contains(at):
                return session
        return None

    def is_open(self, venue: Venue, segment: str, at: datetime) -> bool:
        """Say whether the market trades continuously at a moment."""
        return self.session_at(venue, segment, at) is not None

    def next_session(self, venue: Venue, segment: str, after: datetime) -> TradingSession:
        """Return the first session that opens strictly after a moment.

        Raises:
            CalendarExpiredError: the files end before it; better no bell than a guessed one.
        """
        day = after.astimezone(self.rules(venue, segment).timezone).date()
        while True:
            session = self.session(venue, segment, day)
            if session is not None and session.open_at > after:
                return session
            day += ONE_DAY

    def sessions_between(
        self, venue: Venue, segment: str, *, first: date, last: date
    ) -> Iterator[TradingSession]:
        """Yield the sessions of the trading dates from first to last, both included."""
        day = first
        while day <= last:
            session = self.session(venue, segment, day)
            if session is not None:
                yield session
            day += ONE_DAY

    def previous_trading_day(self, venue: Venue, segment: str, before: date) -> date:
        """Return the last date before the given one that has a session of any kind, Muhurat included."""
        day = before - ONE_DAY
        while self.session(venue, segment, day) is None:
            day -= ONE_DAY
        return day

    def expiry_close(self, day: date, underlying: str) -> datetime | None:
        """Return when the index contracts that expire on the date stop trading, or None on a closed day.

        The caller knows from the broker's contract master that a contract expires on the date. For stock
        contracts there is no exception: use the session's close.
        """
        rule = self._expiry_rules(underlying)[0]
        session = self.session(rule.venue, rule.segment, day)
        if session is None:
            return None
        rows = [row for row in self.expiring_closes if row.since <= day and row.covers(rule)]
        newest = max(rows, key=lambda row: row.since, default=None)
        if newest is None:
            return session.close_at
        early = self.rules(rule.venue, rule.segment).to_utc(day, newest.closes)
        # An evening or injected session may open after the usual hour: then only its own close makes sense.
        return early if session.contains(early) else session.close_at

    def expiries(self, underlying: str, *, first: date, last: date) -> tuple[Expiry, ...]:
        """List the expiry dates from first to last, as a check on the broker's contract master only."""
        rules = self._expiry_rules(underlying)
        market = self.rules(rules[0].venue, rules[0].segment)
        return list_expiries(market, rules, first=first, last=last)

    def with_injected(self, sessions: Iterable[TradingSession]) -> "Calendar":
        """Return a calendar in which the operator's sessions replace what the files say about their dates.

        A later injection for the same market and date replaces an earlier one.
        """
        injected = dict(self.injected)
        for session in sessions:
            self.rules(session.venue, session.segment)
            if session.kind is not SessionKind.INJECTED:
                raise ConfigError(
                    f"{session.market} {session.date}: expected an INJECTED session, got {session.kind}"
                )
            injected[(session.venue, session.segment, session.date)] = session
        return replace(self, injected=injected)

    def _expiry_rules(self, underlying: str) -> tuple[ExpiryRule, ...]:
        rules = tuple(rule for rule in self.expiry_rules if rule.underlying == underlying)
        if not rules:
            known = ", ".join(sorted({rule.underlying for rule in self.expiry_rules}))
            raise ConfigError(f"expected an index underlying of the calendar ({known}), got {underlying}")
        return rules
