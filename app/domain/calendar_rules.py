"""Hold one market's dated rules, so that a day's hours are data and never a constant in code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from app.domain.errors import ConfigError
from app.domain.instruments import Venue

ONE_DAY = timedelta(days=1)


class CalendarExpiredError(ConfigError):
    """Refuse a date that the calendar's files do not cover, because guessing a session loses money."""


class SessionKind(StrEnum):
    """Say why a session exists: the weekly hours, an announced exception, or an operator's word."""

    REGULAR = "REGULAR"
    SPECIAL = "SPECIAL"
    INJECTED = "INJECTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingSession:
    """Describe one continuous session of a market, the only thing that phases and bars are built on.

    `date` is the venue's own trading date. `open_at` and `close_at` are aware UTC; the close is exclusive.
    `is_confirmed` is False where the hours rest on one source or on convention.

    Raises:
        ConfigError: the times are not UTC, or the close does not follow the open.
    """

    venue: Venue
    segment: str
    date: date
    open_at: datetime
    close_at: datetime
    kind: SessionKind
    source: str
    notes: str = ""
    is_confirmed: bool = True

    def __post_init__(self) -> None:
        """Reject times that would silently shift or empty the session."""
        for name, moment in (("open_at", self.open_at), ("close_at", self.close_at)):
            if moment.utcoffset() != timedelta(0):
                raise ConfigError(f"{self.market} {self.date}: expected {name} in UTC, got {moment!r}")
        if self.close_at <= self.open_at:
            raise ConfigError(
                f"{self.market} {self.date}: expected the close after the open, "
                f"got {self.open_at.isoformat()} to {self.close_at.isoformat()}"
            )

    @property
    def market(self) -> str:
        """Name the venue and segment as the calendar files do, for messages."""
        return f"{self.venue}.{self.segment}"

    def contains(self, at: datetime) -> bool:
        """Say whether a moment lies in the session; the open belongs to it, the close does not."""
        return self.open_at <= at < self.close_at


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyHours:
    """State the hours of some weekdays from a date on, until a later row takes over.

    `weekdays` counts Monday as 0. `opens_day` and `closes_day` shift the local day of the open and the close
    against the trading date: forex opens the evening before (-1), a whole UTC day ends on the next (+1).
    """

    since: date
    weekdays: frozenset[int]
    opens: time
    closes: time
    source: str
    opens_day: int = 0
    closes_day: int = 0
    notes: str = ""
    is_confirmed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """Close one weekday that the weekly hours would open."""

    day: date
    reason: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialHours:
    """Open one day at announced hours, even on a holiday or at a weekend."""

    day: date
    opens: time
    closes: time
    notes: str
    source: str
    is_confirmed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRules:
    """Answer for one market (venue and segment) which session a date has.

    `valid_from` and `valid_until` are inclusive trading dates; outside them every question raises.
    """

    venue: Venue
    segment: str
    timezone: ZoneInfo
    valid_from: date
    valid_until: date
    hours: tuple[WeeklyHours, ...]
    closures: Mapping[date, Closure] = field(default_factory=dict)
    specials: Mapping[date, SpecialHours] = field(default_factory=dict)

    @property
    def market(self) -> str:
        """Name the venue and segment as the calendar files do."""
        return f"{self.venue}.{self.segment}"

    def require_covered(self, day: date) -> None:
        """Fail closed on a date that the files say nothing about.

        Raises:
            CalendarExpiredError: the date lies outside the validity of the rules.
        """
        if not self.valid_from <= day <= self.valid_until:
            raise CalendarExpiredError(
                f"the {self.market} calendar covers {self.valid_from} to {self.valid_until}, "
                f"asked for {day}: update the calendar files (docs/calendar.md)"
            )

    def weekly_hours(self, day: date) -> WeeklyHours | None:
        """Return the newest row that covers the date's weekday; holidays are not looked at."""
        rows = [row for row in self.hours if row.since <= day and day.weekday() in row.weekdays]
        return max(rows, key=lambda row: row.since, default=None)

    def is_regular_day(self, day: date) -> bool:
        """Say whether the date is an ordinary trading day, on which contracts may expire.

        A Muhurat or week-end session does not make one: the exchanges moved the expiry of 21 October 2025,
        a holiday with a Muhurat session, to the 20th.

        Raises:
            CalendarExpiredError: the date lies outside the validity of the rules.
        """
        self.require_covered(day)
        return day not in self.closures and self.weekly_hours(day) is not None

    def session(self, day: date) -> TradingSession | None:
        """Return the date's session, or None when the market is closed.

        Raises:
            CalendarExpiredError: the date lies outside the validity of the rules.
        """
        self.require_covered(day)
        special = self.specials.get(day)
        if special is not None:
            return self._special_session(special)
        hours = None if day in self.closures else self.weekly_hours(day)
        return None if hours is None else self._regular_session(day, hours)

    def candidate_days(self, at: datetime) -> list[date]:
        """Return the trading dates whose session could contain a moment, the likeliest first."""
        local = at.astimezone(self.timezone).date()
        ahead = max((-row.opens_day for row in self.hours), default=0)
        behind = max((row.closes_day for row in self.hours), default=0)
        offsets = [0, *range(1, ahead + 1), *range(-1, -behind - 1, -1)]
        return [local + ONE_DAY * offset for offset in offsets]

    def to_utc(self, day: date, local: time) -> datetime:
        """Turn a wall-clock time of the venue into aware UTC."""
        return datetime.combine(day, local, tzinfo=self.timezone).astimezone(UTC)

    def _regular_session(self, day: date, hours: WeeklyHours) -> TradingSession:
        return TradingSession(
            venue=self.venue,
            segment=self.segment,
            date=day,
            open_at=self.to_utc(day + ONE_DAY * hours.opens_day, hours.opens),
            close_at=self.to_utc(day + ONE_DAY * hours.closes_day, hours.closes),
            kind=SessionKind.REGULAR,
            source=hours.source,
            notes=hours.notes,
            is_confirmed=hours.is_confirmed,
        )

    def _special_session(self, special: SpecialHours) -> TradingSession:
        return TradingSession(
            venue=self.venue,
            segment=self.segment,
            date=special.day,
            open_at=self.to_utc(special.day, special.opens),
            close_at=self.to_utc(special.day, special.closes),
            kind=SessionKind.SPECIAL,
            source=special.source,
            notes=special.notes,
            is_confirmed=special.is_confirmed,
        )
