"""Say when a position must be out and until when it may be entered: the one place for times of leaving.

By default a market's positions leave as its phases say (app/domain/phases.py). A dated setting gives a group
of them, by broker and product, other times. On the last day of an option it leaves earlier than the others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from app.domain.accounts import BrokerCode
from app.domain.calendar_rules import TradingSession
from app.domain.errors import InvalidInputError
from app.domain.instruments import InstrumentKind, Venue
from app.domain.phases import BROKER_MARGIN, PhaseTimes, broker_square_off_at, square_off_at

EXPIRING_EARLIER = timedelta(minutes=12)
"""How long before the others expiring contracts leave: at 15:00 in India (our own choice)."""
ENTRIES_OF_EXPIRING = timedelta(minutes=30)
"""How long before they leave nothing of them is entered any more: from 14:30 on (our own choice)."""
SETTLEMENT_WINDOW = timedelta(minutes=30)
"""The last stretch of an option, whose average price of the underlying settles it (markets.md 1.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareOffGroup:
    """Name whose positions leave together."""

    venue: Venue
    broker: BrokerCode
    product: InstrumentKind


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareOffSetting:
    """Set the times of some groups on some trading dates, in the market's own wall-clock time.

    `broker` and `product` are None for all of them; `is_expiring` is about options on their last day, and
    only then. `last_day` None: until further notice. `entries_end_at` None: entries end when the positions
    leave. `broker_at` is from when the broker closes by itself; None keeps what the market says. `number` is
    0 until it is stored.

    Raises:
        InvalidInputError: the times or days run backwards, or we would leave too late for the broker.
    """

    number: int = 0
    venue: Venue
    broker: BrokerCode | None = None
    product: InstrumentKind | None = None
    is_expiring: bool = False
    first_day: date
    last_day: date | None = None
    leave_at: time
    entries_end_at: time | None = None
    broker_at: time | None = None

    def __post_init__(self) -> None:
        if any(at is not None and at.tzinfo for at in (self.leave_at, self.entries_end_at, self.broker_at)):
            raise InvalidInputError("expected times of the market's own clock, got one with a time zone")
        if self.last_day is not None and self.last_day < self.first_day:
            raise InvalidInputError(f"expected the last day from {self.first_day} on, got {self.last_day}")
        if self.entries_end_at is not None and self.entries_end_at > self.leave_at:
            raise InvalidInputError(
                f"expected entries to end by {self.leave_at:%H:%M}, got {self.entries_end_at:%H:%M}"
            )
        if self.broker_at is not None:
            latest = _minutes(self.broker_at) - BROKER_MARGIN
            if _minutes(self.leave_at) > latest:
                raise InvalidInputError(
                    f"expected our square-off at least {BROKER_MARGIN} before the broker's at "
                    f"{self.broker_at:%H:%M}, got {self.leave_at:%H:%M}"
                )
        if self.is_expiring and self.product not in (None, InstrumentKind.OPTION):
            raise InvalidInputError(f"expected options for the times of an expiry, got {self.product}")

    def covers(self, group: SquareOffGroup, day: date) -> bool:
        """Say whether it is about a group on a trading date."""
        is_its_day = self.first_day <= day and (self.last_day is None or day <= self.last_day)
        is_group = self.broker in (None, group.broker) and self.product in (None, group.product)
        return is_its_day and is_group and self.venue is group.venue

    @property
    def rank(self) -> tuple[bool, bool, bool, date, int]:
        """Order settings: a named broker and product before all, an end before none, then the newest."""
        return (
            self.broker is not None,
            self.product is not None,
            self.last_day is not None,
            self.first_day,
            self.number,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareOff:
    """Say when entries of a group end, when its positions leave, and from when the broker closes them.

    Aware UTC. `setting` is the number of the setting that says so, None by default.
    """

    entries_end_at: datetime
    leave_at: datetime
    broker_at: datetime | None
    setting: int | None = None


def square_off_of(
    session: TradingSession, times: PhaseTimes, settings: Iterable[SquareOffSetting], group: SquareOffGroup
) -> SquareOff | None:
    """Return when a group of a session leaves, None where nothing says that it must.

    A setting whose time lies outside of the session (an evening of Muhurat) is not about it. Whatever it
    says, positions leave `BROKER_MARGIN` before the broker closes them.
    """
    # Paper closes nothing by itself.
    broker_at = None if group.broker is BrokerCode.PAPER else broker_square_off_at(session, times)
    chosen = _chosen(session, times, settings, group, is_expiring=False)
    if chosen is None:
        leave_at = square_off_at(session, times)
        if leave_at is None:
            return None
        return SquareOff(entries_end_at=leave_at, leave_at=leave_at, broker_at=broker_at)
    if chosen.broker_at is not None:
        broker_at = _local(session, times, chosen.broker_at)
    leave_at = _local(session, times, chosen.leave_at)
    if broker_at is not None:
        leave_at = max(session.open_at, min(leave_at, broker_at - BROKER_MARGIN))
    return _set(session, times, chosen, leave_at=leave_at, broker_at=broker_at)


def expiring_square_off_of(
    session: TradingSession,
    times: PhaseTimes,
    settings: Iterable[SquareOffSetting],
    group: SquareOffGroup,
    *,
    contract_close: datetime,
) -> SquareOff:
    """Return when options of a group leave on their last day: never later than its other positions.

    By default that is `EXPIRING_EARLIER` than these, before the settlement window of the contract, but not
    more than a third of the session before its close.

    Args: contract_close: until when the contract trades.
    """
    usual = square_off_of(session, times, settings, group)
    broker_at = None if usual is None else usual.broker_at
    latest = contract_close - BROKER_MARGIN
    if usual is not None:
        latest = min(latest, usual.leave_at)
    chosen = _chosen(session, times, settings, group, is_expiring=True)
    if chosen is not None:
        leave_at = min(_local(session, times, chosen.leave_at), latest)
        return _set(session, times, chosen, leave_at=leave_at, broker_at=broker_at)
    length = session.close_at - session.open_at
    wished = min(latest - EXPIRING_EARLIER, contract_close - SETTLEMENT_WINDOW)
    leave_at = min(latest, max(wished, contract_close - length / 3))
    last_entry = max(session.open_at, leave_at - min(ENTRIES_OF_EXPIRING, length / 6))
    return SquareOff(entries_end_at=min(last_entry, leave_at), leave_at=leave_at, broker_at=broker_at)


def last_square_off(
    session: TradingSession,
    times: PhaseTimes,
    settings: Sequence[SquareOffSetting],
    groups: Iterable[SquareOffGroup],
) -> datetime | None:
    """Return when the last of these groups must leave, None where none must: the day's phase runs then."""
    found = (square_off_of(session, times, settings, group) for group in groups)
    return max((one.leave_at for one in found if one is not None), default=None)


def _chosen(
    session: TradingSession,
    times: PhaseTimes,
    settings: Iterable[SquareOffSetting],
    group: SquareOffGroup,
    *,
    is_expiring: bool,
) -> SquareOffSetting | None:
    about = (
        one
        for one in settings
        if one.is_expiring is is_expiring
        and one.covers(group, session.date)
        and session.contains(_local(session, times, one.leave_at))
    )
    return max(about, key=lambda one: one.rank, default=None)


def _set(
    session: TradingSession,
    times: PhaseTimes,
    chosen: SquareOffSetting,
    *,
    leave_at: datetime,
    broker_at: datetime | None,
) -> SquareOff:
    ends = leave_at
    if chosen.entries_end_at is not None:
        ends = min(leave_at, _local(session, times, chosen.entries_end_at))
    return SquareOff(entries_end_at=ends, leave_at=leave_at, broker_at=broker_at, setting=chosen.number)


def _local(session: TradingSession, times: PhaseTimes, at: time) -> datetime:
    return datetime.combine(session.date, at, tzinfo=times.timezone).astimezone(UTC)


def _minutes(at: time) -> timedelta:
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second)
