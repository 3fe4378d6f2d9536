"""Hold what the risk watch finds: locks after a loss, and the course of profit and loss."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, one_of
from app.domain.instruments import Venue
from app.domain.risk.breaches import LossRule
from app.domain.risk.scopes import LimitScope


class LossLockRow(Base):
    """Lock a scope for one trading date of one market, because a rule on its profit and loss was broken.

    The row is the lock: while it has no unlock and its date lasts, nothing of the scope may be entered in
    that market, whatever the trading states say. A trigger lets `flat_*` and `unlocked_*` be filled in once
    and refuses every other change. `_wall` columns are the machine's time, the others the platform's;
    `flat_value` is the scope's profit or loss when it was verified flat.
    """

    __tablename__ = "loss_locks"
    __table_args__ = (
        one_of("venue", Venue),
        one_of("scope", LimitScope),
        one_of("rule", LossRule),
        CheckConstraint(
            "(flat_at IS NULL) = (flat_wall IS NULL) AND (flat_at IS NULL) = (flat_value IS NULL)",
            name="flat_at_once",
        ),
        CheckConstraint(
            "(unlocked_at IS NULL) = (unlocked_by IS NULL) "
            "AND (unlocked_at IS NULL) = (unlock_reason IS NULL)",
            name="unlocked_by_somebody",
        ),
        Index(
            "uq_loss_locks_in_force",
            "day",
            "venue",
            "scope",
            "target",
            unique=True,
            postgresql_where=text("unlocked_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    venue: Mapped[str]
    day: Mapped[date]
    scope: Mapped[str]
    target: Mapped[str]
    rule: Mapped[str]
    limit: Mapped[Decimal]
    value: Mapped[Decimal]
    currency: Mapped[str]
    formula: Mapped[str]
    breached_at: Mapped[datetime]
    breached_wall: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    flat_at: Mapped[datetime | None]
    flat_wall: Mapped[datetime | None]
    flat_value: Mapped[Decimal | None]
    unlocked_at: Mapped[datetime | None]
    unlocked_by: Mapped[str | None]
    unlock_reason: Mapped[str | None]


class EquityPointRow(Base):
    """Hold a scope's profit and loss of a trading date in one minute (platform time) and its charges.

    It is written when it differs from the last one. `peak` is the highest confirmed so far that day, after
    charges; it survives the watch.
    """

    __tablename__ = "equity_points"
    __table_args__ = (one_of("venue", Venue), one_of("scope", LimitScope))

    venue: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(primary_key=True)
    minute: Mapped[datetime] = mapped_column(primary_key=True)
    realized: Mapped[Decimal]
    unrealized: Mapped[Decimal]
    charges: Mapped[Decimal] = mapped_column(server_default="0")
    is_estimated: Mapped[bool] = mapped_column(server_default="false")
    peak: Mapped[Decimal]
