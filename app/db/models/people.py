"""Hold who trades: users, their broker accounts with secrets, and what runs on them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    LargeBinary,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Stamped, one_of
from app.domain.accounts import AccountMode, BrokerCode, TradingState
from app.domain.deployments import DeploymentState
from app.domain.risk.scopes import LimitScope
from app.domain.users import Role


class FamilyRow(Stamped, Base):
    """Name a group of users that limits, loss limits and the kill switch take together."""

    __tablename__ = "families"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class UserRow(Stamped, Base):
    """Hold a person who signs in; `trading_state` stops all of the user's accounts."""

    __tablename__ = "users"
    __table_args__ = (one_of("role", Role), one_of("trading_state", TradingState))

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    password_hash: Mapped[str | None]
    is_enabled: Mapped[bool] = mapped_column(server_default="true")
    trading_state: Mapped[str] = mapped_column(server_default=TradingState.ACTIVE)
    family_id: Mapped[int | None] = mapped_column(ForeignKey("families.id"), index=True)


class AccountRow(Stamped, Base):
    """Hold one account at one broker; every order row and every secret hangs on it.

    `unproven_since` (machine time) says that its lanes stood still and that no read of its books has shown
    since then what the ledger may lack: a restored backup is behind the broker. `settings` are what a person
    says of it: its capital, and what it pays by agreement.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("user_id", "name"),
        UniqueConstraint("id", "user_id"),  # lets other tables prove that account and user belong together
        one_of("broker", BrokerCode),
        one_of("mode", AccountMode),
        one_of("trading_state", TradingState),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str]
    broker: Mapped[str]
    mode: Mapped[str] = mapped_column(server_default=AccountMode.PAPER)
    egress: Mapped[str] = mapped_column(server_default="")
    ip_group: Mapped[str] = mapped_column(server_default="")
    allows_shared_egress: Mapped[bool] = mapped_column(server_default="false")
    is_enabled: Mapped[bool] = mapped_column(server_default="true")
    trading_state: Mapped[str] = mapped_column(server_default=TradingState.ACTIVE)
    state_reason: Mapped[str] = mapped_column(server_default="")
    unproven_since: Mapped[datetime | None]
    settings: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))


class AccountFundsRow(Base):
    """Hold the money of an account as its broker last told it, in the account's currency.

    `asked_wall` is the machine's time when the broker was asked.
    """

    __tablename__ = "account_funds"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    available: Mapped[Decimal]
    used: Mapped[Decimal]
    asked_wall: Mapped[datetime]


class CredentialRow(Stamped, Base):
    """Hold an account's credentials, encrypted; the key lives outside the database."""

    __tablename__ = "credentials"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)


class BrokerSessionRow(Stamped, Base):
    """Hold an account's open broker session, encrypted, for the other processes."""

    __tablename__ = "broker_sessions"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    generation: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[datetime]
    egress: Mapped[str]
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)


class TotpUseRow(Base):
    """Remember the last TOTP window that was spent, so that no code is used twice."""

    __tablename__ = "totp_uses"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    window: Mapped[int] = mapped_column(BigInteger)


class DeploymentRow(Stamped, Base):
    """Hold a strategy that runs for a user on an account."""

    __tablename__ = "deployments"
    __table_args__ = (
        UniqueConstraint("account_id", "name"),
        # I13: a deployment can only be on an account of its own user.
        ForeignKeyConstraint(["account_id", "user_id"], ["accounts.id", "accounts.user_id"]),
        one_of("state", DeploymentState),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    account_id: Mapped[int] = mapped_column(BigInteger, index=True)
    name: Mapped[str]
    strategy: Mapped[str]
    params: Mapped[dict[str, Any]]
    limits: Mapped[dict[str, Any]]
    sizing: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    state: Mapped[str] = mapped_column(server_default=DeploymentState.ACTIVE)
    state_reason: Mapped[str] = mapped_column(server_default="")
    armed_on: Mapped[date | None]
    loop_fence: Mapped[int] = mapped_column(BigInteger, server_default="0")


class ApiKeyRow(Base):
    """Hold the hash of a key with which a program hands in signals for one deployment, and nothing else.

    `hint` are the first characters of the key, for people to tell keys apart.
    """

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"), index=True)
    name: Mapped[str]
    hint: Mapped[str]
    key_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    revoked_at: Mapped[datetime | None]


class AuditRow(Base):
    """Record every act that can move money; a trigger refuses changes (I14)."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    actor: Mapped[str]
    origin: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    reason: Mapped[str]
    details: Mapped[dict[str, Any]]


class LimitVersionRow(Base):
    """Record a set of limits of one scope; the newest version is in force, and a trigger refuses changes.

    `target` is the text of an id, a broker's code, or "" for the tenant. An empty set limits nothing.
    `role` is what its author was then: a trader may not go below what staff has set.
    """

    __tablename__ = "limit_versions"
    __table_args__ = (
        UniqueConstraint("scope", "target", "version"),
        one_of("scope", LimitScope),
        one_of("role", Role),
        CheckConstraint("version > 0", name="version_positive"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    scope: Mapped[str]
    target: Mapped[str]
    version: Mapped[int]
    values: Mapped[dict[str, Any]]
    actor: Mapped[str]
    role: Mapped[str]
    reason: Mapped[str]
    ts_init: Mapped[datetime]
