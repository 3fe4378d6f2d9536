"""Compute expiry dates from dated weekday rules, so that a holiday or a rule change cannot surprise us."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta

from app.domain.calendar_rules import ONE_DAY, CalendarExpiredError, MarketRules
from app.domain.instruments import Venue

_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryRule:
    """State on which weekday an underlying's contracts expire from a date on.

    `weekday` counts Monday as 0; `has_weeklies` is False where only the month's last such weekday expires.
    """

    underlying: str
    venue: Venue
    segment: str
    since: date
    weekday: int
    has_weeklies: bool
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiringClose:
    """State from when on expiring index contracts stop earlier than the session."""

    venue: Venue
    segment: str
    since: date
    closes: time
    source: str

    def covers(self, rule: ExpiryRule) -> bool:
        """Say whether the exception binds the market in which the rule's contracts trade."""
        return (self.venue, self.segment) == (rule.venue, rule.segment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """Name one expiry: the date it falls on, and the date it would have without holidays."""

    underlying: str
    day: date
    nominal: date
    is_monthly: bool

    @property
    def is_shifted(self) -> bool:
        """Say whether a holiday moved the expiry."""
        return self.day != self.nominal


def list_expiries(
    market: MarketRules, rules: tuple[ExpiryRule, ...], *, first: date, last: date
) -> tuple[Expiry, ...]:
    """List the expiries whose actual date lies from first to last, oldest first.

    A nominal date that is no regular trading day moves to the previous one.

    Raises:
        CalendarExpiredError: the range leaves the calendar's validity or precedes the oldest rule.
        Source: NSE/FAOP/68747 (2025-06-25), BSE 20250623-59, as listed in NSE/FAOP/73928.
    """
    market.require_covered(first)
    market.require_covered(last)
    oldest = min(rule.since for rule in rules)
    if first < oldest:
        raise CalendarExpiredError(f"{rules[0].underlying} expiry rules begin on {oldest}, asked for {first}")
    # An expiry inside the range may have its nominal date just after it.
    horizon = min(last + _WEEK, market.valid_until)
    found = (_expiry(market, rule, nominal) for rule, nominal in _nominal_days(rules, first, horizon))
    return tuple(expiry for expiry in found if first <= expiry.day <= last)


def _nominal_days(
    rules: tuple[ExpiryRule, ...], first: date, horizon: date
) -> Iterator[tuple[ExpiryRule, date]]:
    day = first
    while day <= horizon:
        rule = max((rule for rule in rules if rule.since <= day), key=lambda rule: rule.since)
        if day.weekday() == rule.weekday and (rule.has_weeklies or _is_last_of_month(day)):
            yield rule, day
        day += ONE_DAY


def _expiry(market: MarketRules, rule: ExpiryRule, nominal: date) -> Expiry:
    day = nominal
    while not market.is_regular_day(day):
        day -= ONE_DAY
    return Expiry(underlying=rule.underlying, day=day, nominal=nominal, is_monthly=_is_last_of_month(nominal))


def _is_last_of_month(day: date) -> bool:
    return (day + _WEEK).month != day.month
