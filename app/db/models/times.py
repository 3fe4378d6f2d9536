"""Hold what people say about when positions leave and when nothing is entered."""

from datetime import date, datetime, time

from sqlalchemy import BigInteger, CheckConstraint, Identity, Text, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, one_of
from app.domain.blackouts import BlackoutRule
from app.domain.instruments import Venue


def _withdrawn_by_somebody() -> CheckConstraint:
    return CheckConstraint(
        "(withdrawn_at IS NULL) = (withdrawn_by IS NULL) "
        "AND (withdrawn_at IS NULL) = (withdrawal_reason IS NULL)",
        name="withdrawn_by_somebody",
    )


class SquareOffSettingRow(Base):
    """Set when a group of positions leaves on some trading dates; wall-clock times of the market.

    A trigger lets a row be withdrawn once and refuses every other change, so that it can be seen later what
    was in force. `last_day` is null until further notice.
    """

    __tablename__ = "square_off_settings"
    __table_args__ = (
        one_of("venue", Venue),
        CheckConstraint("last_day >= first_day", name="days_in_order"),
        CheckConstraint("entries_end_at <= leave_at", name="entries_end_first"),
        CheckConstraint("leave_at < broker_at", name="before_the_broker"),
        _withdrawn_by_somebody(),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    venue: Mapped[str]
    broker: Mapped[str | None]
    product: Mapped[str | None]
    is_expiring: Mapped[bool]
    first_day: Mapped[date]
    last_day: Mapped[date | None]
    leave_at: Mapped[time]
    entries_end_at: Mapped[time | None]
    broker_at: Mapped[time | None]
    actor: Mapped[str]
    reason: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[str | None]
    withdrawal_reason: Mapped[str | None]


class BlackoutRow(Base):
    """Hold a window without entries, or before which positions must be out; guarded like the settings.

    `timezone` is null for a window that happens once, else it repeats each week by that wall clock.
    """

    __tablename__ = "blackouts"
    __table_args__ = (
        one_of("rule", BlackoutRule),
        CheckConstraint("ends_at > starts_at", name="ends_later"),
        CheckConstraint("cardinality(covers) > 0", name="covers_something"),
        _withdrawn_by_somebody(),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str]
    covers: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    rule: Mapped[str]
    lead_s: Mapped[int]
    timezone: Mapped[str | None]
    actor: Mapped[str]
    reason: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[str | None]
    withdrawal_reason: Mapped[str | None]
