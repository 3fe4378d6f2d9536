"""Load the calendar from dated TOML files, and refuse a file that says something impossible."""

import tomllib
from collections.abc import Iterable, Iterator
from datetime import date, time
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal, Protocol, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from app.domain.calendar import Calendar
from app.domain.calendar_expiry import ExpiringClose, ExpiryRule
from app.domain.calendar_rules import Closure, MarketRules, SpecialHours, WeeklyHours
from app.domain.errors import ConfigError
from app.domain.instruments import Venue

DayName = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Market = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]+\.[A-Z]+$")]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]

_DAYS: tuple[DayName, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    source: Text


class _MarketRow(_Row):
    # None means every market of the file.
    markets: tuple[Market, ...] | None = Field(default=None, strict=False)


class _HoursRow(_MarketRow):
    since: date
    days: tuple[DayName, ...] = Field(default=("mon", "tue", "wed", "thu", "fri"), strict=False)
    opens: time
    closes: time
    opens_day: int = Field(default=0, ge=-1, le=0)
    closes_day: int = Field(default=0, ge=0, le=1)
    notes: str = ""
    confirmed: bool = True


class _ClosedRow(_MarketRow):
    date: date
    reason: Text


class _SpecialRow(_MarketRow):
    date: date
    opens: time
    closes: time
    notes: Text
    confirmed: bool = True


class _ExpiryRow(_Row):
    underlying: Text
    market: Market
    since: date
    day: DayName
    weeklies: bool


class _ExpiringCloseRow(_MarketRow):
    since: date
    closes: time


class _CalendarFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    timezone: Text
    valid_from: date
    valid_until: date
    markets: tuple[Market, ...] = Field(min_length=1, strict=False)
    hours: tuple[_HoursRow, ...] = Field(min_length=1, strict=False)
    closed: tuple[_ClosedRow, ...] = Field(default=(), strict=False)
    special: tuple[_SpecialRow, ...] = Field(default=(), strict=False)
    expiry: tuple[_ExpiryRow, ...] = Field(default=(), strict=False)
    expiring_close: tuple[_ExpiringCloseRow, ...] = Field(default=(), strict=False)


def load_calendar(directory: Path | None = None) -> Calendar:
    """Build the calendar from every *.toml of a directory, or from the files that Openbell ships.

    A directory replaces the shipped files as a whole: an operator who adds a holiday copies them first.

    Raises:
        ConfigError: naming the file, the row, what was expected and what came.
    """
    folder: Traversable = resources.files("app") / "data" / "calendar" if directory is None else directory
    if not folder.is_dir():
        raise ConfigError(f"expected a directory of calendar files, got {folder}")
    paths = sorted(
        (path for path in folder.iterdir() if path.name.endswith(".toml")), key=lambda path: path.name
    )
    if not paths:
        raise ConfigError(f"expected calendar files (*.toml) in {folder}, found none")
    files = [(path.name, _read(path)) for path in paths]
    markets: dict[tuple[Venue, str], MarketRules] = {}
    for name, file in files:
        for rules in _market_rules(name, file):
            if (rules.venue, rules.segment) in markets:
                raise ConfigError(f"{name}: expected each market in one file, got {rules.market} again")
            markets[rules.venue, rules.segment] = rules
    calendar = Calendar(
        markets=markets,
        expiry_rules=tuple(_expiry_rule(name, row) for name, file in files for row in file.expiry),
        expiring_closes=tuple(close for name, file in files for close in _expiring_closes(name, file)),
    )
    for rule in calendar.expiry_rules:
        calendar.rules(rule.venue, rule.segment)
    return calendar


def _read(path: Traversable) -> _CalendarFile:
    try:
        return _CalendarFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"{path.name}: expected valid TOML, got: {e}") from e
    except ValidationError as e:
        lines = [
            f"{path.name}: {_place(error['loc'])}: {error['msg']}, got {error['input']!r}"
            for error in e.errors()
        ]
        raise ConfigError("\n".join(lines)) from e


def _place(loc: tuple[int | str, ...]) -> str:
    # ("hours", 3, "opens") becomes "hours row 4 opens": people count rows from one.
    return " ".join(f"row {part + 1}" if isinstance(part, int) else part for part in loc)


def _market_rules(name: str, file: _CalendarFile) -> Iterator[MarketRules]:
    if file.valid_until < file.valid_from:
        raise ConfigError(f"{name}: expected valid_until after {file.valid_from}, got {file.valid_until}")
    _check_rows_name_known_markets(name, file)
    zone = _zone(name, file.timezone)
    for market in file.markets:
        venue, segment = _split(name, market)
        rules = MarketRules(
            venue=venue,
            segment=segment,
            timezone=zone,
            valid_from=file.valid_from,
            valid_until=file.valid_until,
            hours=tuple(_weekly_hours(row) for row in _of(market, file.hours)),
            closures=_by_day(name, file, [_closure(row) for row in _of(market, file.closed)]),
            specials=_by_day(name, file, [_special(row) for row in _of(market, file.special)]),
        )
        _check_hours(name, rules)
        _check_exceptions(name, rules)
        yield rules


def _check_rows_name_known_markets(name: str, file: _CalendarFile) -> None:
    rows = (*file.hours, *file.closed, *file.special, *file.expiring_close)
    for row in rows:
        unknown = set(row.markets or ()) - set(file.markets)
        if unknown:
            raise ConfigError(
                f"{name}: expected markets among {', '.join(file.markets)}, got {', '.join(sorted(unknown))}"
            )


def _check_hours(name: str, rules: MarketRules) -> None:
    seen: set[tuple[date, int]] = set()
    for row in rules.hours:
        if (row.closes_day, row.closes) <= (row.opens_day, row.opens):
            raise ConfigError(
                f"{name}: {rules.market} hours since {row.since}: "
                f"expected the close after {row.opens}, got {row.closes}"
            )
        keys = {(row.since, weekday) for weekday in row.weekdays}
        if seen & keys:
            raise ConfigError(
                f"{name}: {rules.market} hours since {row.since}: expected one row per weekday, got two"
            )
        seen |= keys
    # Days before the first row would look closed, which is a guess as well.
    first = min((row.since for row in rules.hours), default=None)
    if first is None or first > rules.valid_from:
        raise ConfigError(
            f"{name}: {rules.market}: expected hours since {rules.valid_from}, got {first or 'none'}"
        )


def _check_exceptions(name: str, rules: MarketRules) -> None:
    for closure in rules.closures.values():
        if rules.weekly_hours(closure.day) is None:
            raise ConfigError(
                f"{name}: closed {closure.day}: "
                f"expected a day that {rules.market} trades, got a {closure.day:%A}"
            )
    for special in rules.specials.values():
        if special.closes <= special.opens:
            raise ConfigError(
                f"{name}: special {special.day}: "
                f"expected the close after {special.opens}, got {special.closes}"
            )


class _Dated(Protocol):
    @property
    def day(self) -> date: ...


_Exception = TypeVar("_Exception", bound=_Dated)


def _by_day(name: str, file: _CalendarFile, rows: Iterable[_Exception]) -> dict[date, _Exception]:
    found: dict[date, _Exception] = {}
    for row in rows:
        if not file.valid_from <= row.day <= file.valid_until:
            raise ConfigError(
                f"{name}: expected dates from {file.valid_from} to {file.valid_until}, got {row.day}"
            )
        if row.day in found:
            raise ConfigError(f"{name}: expected each date once, got {row.day} twice")
        found[row.day] = row
    return found


_AnyMarketRow = TypeVar("_AnyMarketRow", bound=_MarketRow)


def _of(market: str, rows: Iterable[_AnyMarketRow]) -> Iterator[_AnyMarketRow]:
    return (row for row in rows if row.markets is None or market in row.markets)


def _split(name: str, market: str) -> tuple[Venue, str]:
    venue, segment = market.split(".")
    try:
        return Venue(venue), segment
    except ValueError as e:
        raise ConfigError(f"{name}: expected a venue among {', '.join(Venue)}, got {venue}") from e


def _zone(name: str, key: str) -> ZoneInfo:
    try:
        return ZoneInfo(key)
    except (ZoneInfoNotFoundError, ValueError) as e:
        raise ConfigError(f"{name}: expected a time zone such as Asia/Kolkata, got {key}") from e


def _weekly_hours(row: _HoursRow) -> WeeklyHours:
    return WeeklyHours(
        since=row.since,
        weekdays=frozenset(_DAYS.index(day) for day in row.days),
        opens=row.opens,
        closes=row.closes,
        opens_day=row.opens_day,
        closes_day=row.closes_day,
        source=row.source,
        notes=row.notes,
        is_confirmed=row.confirmed,
    )


def _closure(row: _ClosedRow) -> Closure:
    return Closure(day=row.date, reason=row.reason, source=row.source)


def _special(row: _SpecialRow) -> SpecialHours:
    return SpecialHours(
        day=row.date,
        opens=row.opens,
        closes=row.closes,
        notes=row.notes,
        source=row.source,
        is_confirmed=row.confirmed,
    )


def _expiry_rule(name: str, row: _ExpiryRow) -> ExpiryRule:
    venue, segment = _split(name, row.market)
    return ExpiryRule(
        underlying=row.underlying,
        venue=venue,
        segment=segment,
        since=row.since,
        weekday=_DAYS.index(row.day),
        has_weeklies=row.weeklies,
        source=row.source,
    )


def _expiring_closes(name: str, file: _CalendarFile) -> Iterator[ExpiringClose]:
    for market in file.markets:
        venue, segment = _split(name, market)
        for row in _of(market, file.expiring_close):
            yield ExpiringClose(
                venue=venue, segment=segment, since=row.since, closes=row.closes, source=row.source
            )
