"""Hold the windows in which nothing is entered, or before which positions must be out. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from app.domain.errors import InvalidInputError
from app.domain.instruments import Instrument, InstrumentKind, underlying_of

LEAVE_BEFORE = timedelta(minutes=5)
"""How long before a window positions are asked to leave, so that they are out when it begins."""
DEFAULT_LEAD = timedelta(minutes=15)
"""How long before a window that positions must not see nothing is entered any more."""
_WEEK = timedelta(days=7)
_FIRST_YEAR, _LAST_YEAR = 2000, 2100


class BlackoutRule(StrEnum):
    """Say what a window asks for: no entries in it, or that and no position in it either."""

    NO_ENTRIES = "NO_ENTRIES"
    FLAT_BEFORE = "FLAT_BEFORE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """Show one occurrence of a window. Aware UTC; `leave_at` is None where positions may stay."""

    name: str
    entries_end_at: datetime
    leave_at: datetime | None
    starts_at: datetime
    ends_at: datetime

    def forbids_entries(self, now: datetime) -> bool:
        """Say whether nothing may be entered; the end does not belong to the window."""
        return self.entries_end_at <= now < self.ends_at

    def wants_flat(self, now: datetime) -> bool:
        """Say whether positions must be out or on their way."""
        return self.leave_at is not None and self.leave_at <= now < self.ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Blackout:
    """Define a window: once, or each week by the wall clock of `weekly_in`.

    `covers` names what it is about: currencies ("USD"), underlyings or instruments ("NIFTY"), or whole
    venues ("MT5"). Entries end `lead` before it. `number` is 0 until it is stored.

    Raises:
        InvalidInputError: what no window can be.
    """

    number: int = 0
    name: str
    covers: frozenset[str]
    starts_at: datetime
    ends_at: datetime
    rule: BlackoutRule
    lead: timedelta
    weekly_in: ZoneInfo | None = None

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.covers:
            raise InvalidInputError("expected a name and what the window covers (USD, NIFTY, MT5), got none")
        if self.starts_at.tzinfo is None or self.ends_at.tzinfo is None or self.ends_at <= self.starts_at:
            raise InvalidInputError(
                f"{self.name}: expected two moments with a time zone, the end after the start, "
                f"got {self.starts_at.isoformat()} to {self.ends_at.isoformat()}"
            )
        if self.starts_at.year < _FIRST_YEAR or self.ends_at.year > _LAST_YEAR:
            raise InvalidInputError(f"{self.name}: expected years from {_FIRST_YEAR} to {_LAST_YEAR}")
        least = LEAVE_BEFORE if self.rule is BlackoutRule.FLAT_BEFORE else timedelta(0)
        if self.lead < least:
            raise InvalidInputError(f"{self.name}: expected a lead of at least {least}, got {self.lead}")
        if self.weekly_in is not None and self.ends_at - self.starts_at + self.lead >= _WEEK:
            raise InvalidInputError(f"{self.name}: expected less than a week with its lead, got a longer one")

    def is_about(self, instrument: Instrument) -> bool:
        """Say whether the window names an instrument, its underlying, a currency of it, or its venue."""
        names = {str(instrument.instrument_id), str(underlying_of(instrument.instrument_id))}
        names |= {name.rpartition(".")[0] for name in names}
        names |= {instrument.currency, instrument.venue.value}
        if instrument.kind is InstrumentKind.FOREX:
            names.add(instrument.broker_symbol[:3])  # the EUR of EURUSD
        return not self.covers.isdisjoint(names)

    def spells(self, now: datetime) -> Iterator[Spell]:
        """Yield the occurrences that may matter at a moment: of a weekly one the last begun and the next."""
        if self.weekly_in is None:
            yield self._spell(self.starts_at, self.ends_at)
            return
        start, end = (_wall(at, self.weekly_in) for at in (self.starts_at, self.ends_at))
        passed = (_wall(now, self.weekly_in) - start) // _WEEK
        for weeks in (passed, passed + 1):
            yield self._spell(*(_moment(at + weeks * _WEEK, self.weekly_in) for at in (start, end)))

    def _spell(self, starts_at: datetime, ends_at: datetime) -> Spell:
        is_flat = self.rule is BlackoutRule.FLAT_BEFORE
        return Spell(
            name=self.name,
            entries_end_at=starts_at - self.lead,
            leave_at=starts_at - LEAVE_BEFORE if is_flat else None,
            starts_at=starts_at,
            ends_at=ends_at,
        )


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def _moment(wall: datetime, zone: ZoneInfo) -> datetime:
    return wall.replace(tzinfo=zone).astimezone(UTC)
