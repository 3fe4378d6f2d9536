"""Hold the trading day: phases that ran, logins, leases, contracts, alarms."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Stamped, one_of
from app.domain.accounts import LoginReason, LoginStatus
from app.domain.commands import CommandKind, CommandStatus
from app.domain.instruments import InstrumentKind, Venue


class PhaseRunRow(Base):
    """Record that a phase of the day ran; the key makes a second run impossible (I10)."""

    __tablename__ = "phase_runs"

    venue: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    phase: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]
    started_at: Mapped[datetime]
    started_wall: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]
    summary: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))


class InjectedSessionRow(Stamped, Base):
    """Hold a session that an operator announced (special day, halt and reopening, demo)."""

    __tablename__ = "injected_sessions"

    venue: Mapped[str] = mapped_column(primary_key=True)
    segment: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    open_at: Mapped[datetime]
    close_at: Mapped[datetime]
    actor: Mapped[str]
    reason: Mapped[str]


class LoginRow(Stamped, Base):
    """Hold how far an account is on a day: the readiness table. Times are the platform's, `_ms` real."""

    __tablename__ = "logins"
    __table_args__ = (one_of("status", LoginStatus), one_of("reason", LoginReason))

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(server_default=LoginStatus.PENDING)
    reason: Mapped[str] = mapped_column(server_default=LoginReason.NONE)
    detail: Mapped[str] = mapped_column(server_default="")
    attempts: Mapped[int] = mapped_column(server_default="0")
    claimed_until: Mapped[datetime | None]
    next_try_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    took_ms: Mapped[int | None]


class LeaseRow(Base):
    """Hold the right to run something; `fence` grows with every holder (I11). Times are the machine's."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(index=True)
    queue: Mapped[str]
    holder: Mapped[str] = mapped_column(server_default="")
    fence: Mapped[int] = mapped_column(BigInteger, server_default="0")
    expires_at: Mapped[datetime] = mapped_column(server_default=func.to_timestamp(0))
    dispatched_at: Mapped[datetime] = mapped_column(server_default=func.to_timestamp(0))
    is_wanted: Mapped[bool] = mapped_column(server_default="true")
    spec: Mapped[dict[str, Any]]
    progress: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))


class InstrumentRow(Base):
    """Hold one contract of the day's master."""

    __tablename__ = "instruments"
    __table_args__ = (
        one_of("venue", Venue),
        one_of("kind", InstrumentKind),
        Index("ix_instruments_as_of_broker_symbol", "as_of", "broker_symbol"),
    )

    as_of: Mapped[date] = mapped_column(primary_key=True)
    instrument_id: Mapped[str] = mapped_column(primary_key=True)
    venue: Mapped[str]
    kind: Mapped[str]
    segment: Mapped[str]
    broker_symbol: Mapped[str]
    broker_token: Mapped[str]
    tick_size: Mapped[Decimal]
    lot_size: Mapped[Decimal]
    freeze_qty: Mapped[Decimal]
    min_notional: Mapped[Decimal] = mapped_column(server_default="0")
    contract_size: Mapped[Decimal] = mapped_column(server_default="1")
    currency: Mapped[str] = mapped_column(server_default="INR")
    underlying: Mapped[str | None]
    expiry: Mapped[date | None]
    strike: Mapped[Decimal | None]
    option_right: Mapped[str | None]


class AlarmRow(Base):
    """Hold something that a person must look at; one open row per code and subject."""

    __tablename__ = "alarms"
    __table_args__ = (
        Index(
            "uq_alarms_open",
            "code",
            "subject",
            unique=True,
            postgresql_where=text("cleared_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    code: Mapped[str]
    subject: Mapped[str]
    message: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    raised_at: Mapped[datetime]
    seen: Mapped[int] = mapped_column(server_default="1")
    cleared_at: Mapped[datetime | None]


class AlarmNoticeRow(Base):
    """Hold that a chat was told of an alarm, and in which message of its own."""

    __tablename__ = "alarm_notices"
    __table_args__ = (Index("ix_alarm_notices_message", "chat", "message_id"),)

    alarm_id: Mapped[int] = mapped_column(ForeignKey("alarms.id"), primary_key=True)
    chat: Mapped[str] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(BigInteger)


class CommandRow(Base):
    """Hold what a person ordered and what became of it, so that a dead queue loses no order of theirs.

    `user_id` is None for the operator of the machine, who is no user of the platform.
    """

    __tablename__ = "commands"
    __table_args__ = (
        one_of("kind", CommandKind),
        one_of("status", CommandStatus),
        Index("ix_commands_unfinished", "created_at", postgresql_where=text("finished_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    actor: Mapped[str]
    payload: Mapped[dict[str, Any]]
    reason: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=CommandStatus.PENDING)
    result: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]
