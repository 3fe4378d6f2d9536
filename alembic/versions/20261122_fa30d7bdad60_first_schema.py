"""Make the first schema.

Revision: fa30d7bdad60, the first.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "fa30d7bdad60"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Move the schema forward; the release before this one must still work with it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "bars",
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("open", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("high", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("low", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("close", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("volume", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.PrimaryKeyConstraint("instrument_id", "minutes", "start", name=op.f("pk_bars")),
    )
    op.create_table(
        "indicators",
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.PrimaryKeyConstraint("instrument_id", "minutes", "start", "name", name=op.f("pk_indicators")),
    )
    op.create_table(
        "injected_sessions",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("open_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("close_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("venue", "segment", "day", name=op.f("pk_injected_sessions")),
    )
    op.create_table(
        "instruments",
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("broker_symbol", sa.Text(), nullable=False),
        sa.Column("broker_token", sa.Text(), nullable=False),
        sa.Column("tick_size", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("lot_size", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("freeze_qty", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("underlying", sa.Text(), nullable=True),
        sa.Column("expiry", sa.Date(), nullable=True),
        sa.Column("strike", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("option_right", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('INDEX', 'OPTION')", name=op.f("ck_instruments_kind")),
        sa.CheckConstraint("venue IN ('NSE', 'BSE', 'BINANCE', 'MT5')", name=op.f("ck_instruments_venue")),
        sa.PrimaryKeyConstraint("as_of", "instrument_id", name=op.f("pk_instruments")),
    )
    op.create_index(
        "ix_instruments_as_of_broker_symbol", "instruments", ["as_of", "broker_symbol"], unique=False
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), server_default="", nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("to_timestamp(0)"),
            nullable=False,
        ),
        sa.Column(
            "dispatched_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("to_timestamp(0)"),
            nullable=False,
        ),
        sa.Column("is_wanted", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("spec", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "progress",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_index(op.f("ix_leases_kind"), "leases", ["kind"], unique=False)
    op.create_table(
        "phase_runs",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "started_wall",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "summary",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("venue", "day", "phase", name=op.f("pk_phase_runs")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("is_enabled", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("trading_state", sa.Text(), server_default="ACTIVE", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("role IN ('ADMIN', 'OPS', 'TRADER')", name=op.f("ck_users_role")),
        sa.CheckConstraint(
            "trading_state IN ('ACTIVE', 'REDUCING', 'HALTED')", name=op.f("ck_users_trading_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("broker", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), server_default="PAPER", nullable=False),
        sa.Column("egress", sa.Text(), server_default="", nullable=False),
        sa.Column("ip_group", sa.Text(), server_default="", nullable=False),
        sa.Column("allows_shared_egress", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("is_enabled", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("trading_state", sa.Text(), server_default="ACTIVE", nullable=False),
        sa.Column("state_reason", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("broker IN ('kotak_neo', 'paper')", name=op.f("ck_accounts_broker")),
        sa.CheckConstraint("mode IN ('PAPER', 'LIVE')", name=op.f("ck_accounts_mode")),
        sa.CheckConstraint(
            "trading_state IN ('ACTIVE', 'REDUCING', 'HALTED')", name=op.f("ck_accounts_trading_state")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_accounts_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("id", "user_id", name=op.f("uq_accounts_id_user_id")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_accounts_user_id_name")),
    )
    op.create_index(op.f("ix_accounts_user_id"), "accounts", ["user_id"], unique=False)
    op.create_table(
        "alarms",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.Integer(), server_default="1", nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_alarms_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
    )
    op.create_index(
        "uq_alarms_open",
        "alarms",
        ["code", "subject"],
        unique=True,
        postgresql_where=sa.text("cleared_at IS NULL"),
    )
    op.create_table(
        "broker_sessions",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("egress", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_broker_sessions_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_broker_sessions")),
    )
    op.create_table(
        "broker_trades",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("broker_order_id", sa.Text(), nullable=False),
        sa.Column("broker_symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("price", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("ts_event", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_broker_trades_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", "day", "trade_id", name=op.f("pk_broker_trades")),
    )
    op.create_table(
        "credentials",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_credentials_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_credentials")),
    )
    op.create_table(
        "deployments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("params", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("limits", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default="ACTIVE", nullable=False),
        sa.Column("state_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("armed_on", sa.Date(), nullable=True),
        sa.Column("loop_fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("state IN ('ACTIVE', 'PAUSED', 'HALTED')", name=op.f("ck_deployments_state")),
        sa.ForeignKeyConstraint(
            ["account_id", "user_id"],
            ["accounts.id", "accounts.user_id"],
            name=op.f("fk_deployments_account_id_user_id_accounts"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_deployments_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_deployments_account_id_name")),
    )
    op.create_index(op.f("ix_deployments_account_id"), "deployments", ["account_id"], unique=False)
    op.create_index(op.f("ix_deployments_user_id"), "deployments", ["user_id"], unique=False)
    op.create_table(
        "logins",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("status", sa.Text(), server_default="PENDING", nullable=False),
        sa.Column("reason", sa.Text(), server_default="none", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("took_ms", sa.Integer(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "reason IN ('none', 'bad_credentials', 'bad_totp', 'ip_denied', 'egress_down', 'timeout', 'broker_down', 'protocol', 'no_credentials')",
            name=op.f("ck_logins_reason"),
        ),
        sa.CheckConstraint(
            "status IN ('PENDING', 'LOGGING_IN', 'LOGGED_IN', 'READY', 'FAILED')",
            name=op.f("ck_logins_status"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_logins_account_id_accounts")),
        sa.PrimaryKeyConstraint("account_id", "day", name=op.f("pk_logins")),
    )
    op.create_table(
        "totp_uses",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("window", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_totp_uses_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_totp_uses")),
    )
    op.create_table(
        "legs",
        sa.Column("deployment_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("net_qty", sa.Numeric(precision=20, scale=6), server_default="0", nullable=False),
        sa.Column("entry_qty", sa.Numeric(precision=20, scale=6), server_default="0", nullable=False),
        sa.Column("entry_px", sa.Numeric(precision=20, scale=6), server_default="0", nullable=False),
        sa.Column("cash", sa.Numeric(precision=20, scale=6), server_default="0", nullable=False),
        sa.Column("stop_fraction", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("is_stopped", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("exit_reason", sa.Text(), nullable=True),
        sa.Column("exit_requested_wall", sa.DateTime(timezone=True), nullable=True),
        sa.Column("exposed_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unprotected_max_ms", sa.Integer(), server_default="0", nullable=False),
        sa.Column("exit_attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_legs_account_id_accounts")),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.id"], name=op.f("fk_legs_deployment_id_deployments")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_legs_user_id_users")),
        sa.PrimaryKeyConstraint("deployment_id", "day", "instrument_id", name=op.f("pk_legs")),
    )
    op.create_index(op.f("ix_legs_account_id"), "legs", ["account_id"], unique=False)
    op.create_index(op.f("ix_legs_user_id"), "legs", ["user_id"], unique=False)
    op.create_table(
        "signals",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("deployment_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("ts_event", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ts_init", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_expired", sa.Boolean(), server_default="false", nullable=False),
        sa.Column(
            "recorded_wall",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.id"], name=op.f("fk_signals_deployment_id_deployments")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_signals_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signals")),
        sa.UniqueConstraint("deployment_id", "key", name=op.f("uq_signals_deployment_id_key")),
    )
    op.create_index(op.f("ix_signals_day"), "signals", ["day"], unique=False)
    op.create_index(op.f("ix_signals_user_id"), "signals", ["user_id"], unique=False)
    op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("deployment_id", sa.BigInteger(), nullable=False),
        sa.Column("signal_id", sa.BigInteger(), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("leg", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("order_type", sa.Text(), nullable=False),
        sa.Column("time_in_force", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("price", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("trigger_price", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("stop_fraction", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("denial_code", sa.Text(), nullable=True),
        sa.Column("reject_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("broker_order_id", sa.Text(), nullable=True),
        sa.Column("filled_qty", sa.Numeric(precision=20, scale=6), server_default="0", nullable=False),
        sa.Column("avg_px", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("venue_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("is_unknown", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("was_unknown", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("clean_misses", sa.Integer(), server_default="0", nullable=False),
        sa.Column("chase_step", sa.Integer(), server_default="0", nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=True),
        sa.Column("ts_init", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_wall", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_wall", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_wall", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_wall", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "order_type IN ('MARKET', 'LIMIT', 'STOP_MARKET', 'STOP_LIMIT')",
            name=op.f("ck_orders_order_type"),
        ),
        sa.CheckConstraint("role IN ('ENTRY', 'STOP', 'EXIT')", name=op.f("ck_orders_role")),
        sa.CheckConstraint("side IN ('BUY', 'SELL')", name=op.f("ck_orders_side")),
        sa.CheckConstraint(
            "status IN ('INITIALIZED', 'DENIED', 'SUBMITTED', 'ACCEPTED', 'TRIGGERED', 'PENDING_UPDATE', 'PENDING_CANCEL', 'PARTIALLY_FILLED', 'FILLED', 'CANCELED', 'REJECTED', 'EXPIRED')",
            name=op.f("ck_orders_status"),
        ),
        sa.CheckConstraint("time_in_force IN ('DAY', 'IOC')", name=op.f("ck_orders_time_in_force")),
        sa.CheckConstraint(
            "filled_qty >= 0 AND filled_qty <= quantity", name=op.f("ck_orders_filled_within_quantity")
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_orders_quantity_positive")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_orders_account_id_accounts")),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.id"], name=op.f("fk_orders_deployment_id_deployments")
        ),
        sa.ForeignKeyConstraint(["signal_id"], ["signals.id"], name=op.f("fk_orders_signal_id_signals")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_orders_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint(
            "account_id", "broker_order_id", name=op.f("uq_orders_account_id_broker_order_id")
        ),
        sa.UniqueConstraint("client_order_id", name=op.f("uq_orders_client_order_id")),
        sa.UniqueConstraint(
            "signal_id", "leg", "attempt", "part", name=op.f("uq_orders_signal_id_leg_attempt_part")
        ),
    )
    op.create_index(op.f("ix_orders_account_id"), "orders", ["account_id"], unique=False)
    op.create_index(op.f("ix_orders_day"), "orders", ["day"], unique=False)
    op.create_index(
        "ix_orders_open",
        "orders",
        ["account_id", "role"],
        unique=False,
        postgresql_where=sa.text("status NOT IN ('CANCELED', 'DENIED', 'EXPIRED', 'FILLED', 'REJECTED')"),
    )
    op.create_index(op.f("ix_orders_user_id"), "orders", ["user_id"], unique=False)
    op.create_index(
        "uq_orders_one_live_exit",
        "orders",
        ["deployment_id", "instrument_id", "part"],
        unique=True,
        postgresql_where=sa.text(
            "role <> 'ENTRY' AND status NOT IN ('CANCELED', 'DENIED', 'EXPIRED', 'FILLED', 'REJECTED')"
        ),
    )
    op.create_table(
        "fills",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("deployment_id", sa.BigInteger(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("price", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("cumulative_qty", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("ts_init", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "wall", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_fills_account_id_accounts")),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.id"], name=op.f("fk_fills_deployment_id_deployments")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_fills_order_id_orders")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_fills_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fills")),
        sa.UniqueConstraint("order_id", "cumulative_qty", name=op.f("uq_fills_order_id_cumulative_qty")),
    )
    op.create_index(op.f("ix_fills_account_id"), "fills", ["account_id"], unique=False)
    op.create_index(op.f("ix_fills_user_id"), "fills", ["user_id"], unique=False)
    op.create_table(
        "order_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("ts_init", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "wall", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint(
            "kind IN ('DENIED', 'SUBMITTED', 'NOT_SENT', 'OUTCOME_UNKNOWN', 'ACCEPTED', 'REJECTED', 'TRIGGERED', 'UPDATE_REQUESTED', 'UPDATED', 'CANCEL_REQUESTED', 'REQUEST_REFUSED', 'CANCELED', 'EXPIRED', 'FILLED')",
            name=op.f("ck_order_events_kind"),
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_events_order_id_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_events")),
    )
    op.create_index(op.f("ix_order_events_order_id"), "order_events", ["order_id"], unique=False)


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    op.drop_index(op.f("ix_order_events_order_id"), table_name="order_events")
    op.drop_table("order_events")
    op.drop_index(op.f("ix_fills_user_id"), table_name="fills")
    op.drop_index(op.f("ix_fills_account_id"), table_name="fills")
    op.drop_table("fills")
    op.drop_index(
        "uq_orders_one_live_exit",
        table_name="orders",
        postgresql_where=sa.text(
            "role <> 'ENTRY' AND status NOT IN ('CANCELED', 'DENIED', 'EXPIRED', 'FILLED', 'REJECTED')"
        ),
    )
    op.drop_index(op.f("ix_orders_user_id"), table_name="orders")
    op.drop_index(
        "ix_orders_open",
        table_name="orders",
        postgresql_where=sa.text("status NOT IN ('CANCELED', 'DENIED', 'EXPIRED', 'FILLED', 'REJECTED')"),
    )
    op.drop_index(op.f("ix_orders_day"), table_name="orders")
    op.drop_index(op.f("ix_orders_account_id"), table_name="orders")
    op.drop_table("orders")
    op.drop_index(op.f("ix_signals_user_id"), table_name="signals")
    op.drop_index(op.f("ix_signals_day"), table_name="signals")
    op.drop_table("signals")
    op.drop_index(op.f("ix_legs_user_id"), table_name="legs")
    op.drop_index(op.f("ix_legs_account_id"), table_name="legs")
    op.drop_table("legs")
    op.drop_table("totp_uses")
    op.drop_table("logins")
    op.drop_index(op.f("ix_deployments_user_id"), table_name="deployments")
    op.drop_index(op.f("ix_deployments_account_id"), table_name="deployments")
    op.drop_table("deployments")
    op.drop_table("credentials")
    op.drop_table("broker_trades")
    op.drop_table("broker_sessions")
    op.drop_index("uq_alarms_open", table_name="alarms", postgresql_where=sa.text("cleared_at IS NULL"))
    op.drop_table("alarms")
    op.drop_index(op.f("ix_accounts_user_id"), table_name="accounts")
    op.drop_table("accounts")
    op.drop_table("users")
    op.drop_table("phase_runs")
    op.drop_index(op.f("ix_leases_kind"), table_name="leases")
    op.drop_table("leases")
    op.drop_index("ix_instruments_as_of_broker_symbol", table_name="instruments")
    op.drop_table("instruments")
    op.drop_table("injected_sessions")
    op.drop_table("indicators")
    op.drop_table("bars")
    op.drop_table("audit_log")
