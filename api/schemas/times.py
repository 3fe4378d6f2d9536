"""Describe when positions leave and when nothing is entered."""

from datetime import date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, Field

from api.schemas.base import Asked, DecimalStr, Reason, Shown
from app.domain.accounts import BrokerCode
from app.domain.blackouts import Blackout, BlackoutRule
from app.domain.errors import InvalidInputError
from app.domain.instruments import InstrumentKind, Venue
from app.domain.risk.urgency import Urgency
from app.domain.square_off import SquareOffSetting


class SquareOffTimes(Shown):
    """Show when entries end, when positions leave, and from when the broker closes by itself.

    `setting` is the number of the setting that says so, null by default.
    """

    entries_end_at: datetime
    leave_at: datetime
    broker_at: datetime | None
    setting: int | None


class GroupTimes(Shown):
    """Show the times of a group on a trading date; `is_expiring` is about options on their last day."""

    day: date
    venue: Venue
    broker: BrokerCode
    product: InstrumentKind
    is_expiring: bool
    times: SquareOffTimes


class SquareOffRow(Shown):
    """Show a setting with who made it; times are the market's own wall clock."""

    id: int
    venue: Venue
    broker: BrokerCode | None
    product: InstrumentKind | None
    is_expiring: bool
    first_day: date
    last_day: date | None
    leave_at: time
    entries_end_at: time | None
    broker_at: time | None
    actor: str
    reason: str
    created_at: datetime
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    withdrawal_reason: str | None


class SquareOffs(Shown):
    """Show today's times, and every setting, newest first."""

    today: list[GroupTimes]
    settings: list[SquareOffRow]


class Departure(Shown):
    """Show a held leg: when it leaves at the latest, and how hard its exit is pressed.

    `leave_by` is null where nothing asks for it, or its contract is not known.
    """

    account_id: int
    deployment_id: int
    instrument_id: str
    net_qty: DecimalStr
    leave_by: datetime | None
    broker_at: datetime | None
    exit_reason: str | None
    urgency: Urgency


class NewSquareOff(Asked):
    """Set the times of some groups; null for `broker` or `product` means all, for `last_day` no end."""

    venue: Venue
    broker: BrokerCode | None = None
    product: InstrumentKind | None = None
    is_expiring: bool = False
    first_day: date
    last_day: date | None = None
    leave_at: time
    entries_end_at: time | None = None
    broker_at: time | None = None
    reason: Reason

    def setting(self) -> SquareOffSetting:
        """Return what is asked for; raises InvalidInputError."""
        return SquareOffSetting(**self.model_dump(exclude={"reason"}))


class BlackoutRow(Shown):
    """Show a window with who made it; `timezone` is null for one that happens once."""

    id: int
    name: str
    covers: list[str]
    starts_at: datetime
    ends_at: datetime
    rule: BlackoutRule
    lead_s: int
    timezone: str | None
    actor: str
    reason: str
    created_at: datetime
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    withdrawal_reason: str | None


class NewBlackout(Asked):
    """Add a window; with `timezone` it repeats each week by that wall clock."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    covers: Annotated[list[Annotated[str, Field(min_length=1, max_length=64)]], Field(min_length=1)]
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    rule: BlackoutRule
    lead_s: Annotated[int, Field(ge=0, le=86_400)] = 900
    timezone: str | None = None
    reason: Reason

    def blackout(self) -> Blackout:
        """Return what is asked for; raises InvalidInputError."""
        try:
            zone = None if self.timezone is None else ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError) as e:
            raise InvalidInputError(f"expected a time zone such as Asia/Kolkata, got {self.timezone}") from e
        return Blackout(
            name=self.name.strip(),
            covers=frozenset(self.covers),
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            rule=self.rule,
            lead=timedelta(seconds=self.lead_s),
            weekly_in=zone,
        )


class Numbered(Shown):
    """Name what was stored."""

    number: int


class Withdrawal(Asked):
    """Say why something shall hold no longer."""

    reason: Reason
