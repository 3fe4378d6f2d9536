"""Lock scopes after a loss, and keep the course of profit and loss.

Revision: b7e40c915d22, after 9f3b7a1c5e20.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b7e40c915d22"
down_revision: str | Sequence[str] | None = "9f3b7a1c5e20"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_AMOUNT = sa.Numeric(precision=28, scale=10)
_AT = sa.DateTime(timezone=True)
_SCOPES = "scope IN ('TENANT', 'BROKER', 'USER', 'ACCOUNT', 'DEPLOYMENT')"
_RULES = "rule IN ('MAX_DAILY_LOSS', 'MAX_DRAWDOWN', 'COMBINED_STOP', 'COMBINED_TARGET', 'COMBINED_LOCK')"
_VENUES = "venue IN ('NSE', 'BSE', 'BINANCE', 'MT5')"


def upgrade() -> None:
    """Move the schema forward; the release before this one must still work with it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "loss_locks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("limit", _AMOUNT, nullable=False),
        sa.Column("value", _AMOUNT, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("formula", sa.Text(), nullable=False),
        sa.Column("breached_at", _AT, nullable=False),
        sa.Column("breached_wall", _AT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("flat_at", _AT, nullable=True),
        sa.Column("flat_wall", _AT, nullable=True),
        sa.Column("flat_value", _AMOUNT, nullable=True),
        sa.Column("unlocked_at", _AT, nullable=True),
        sa.Column("unlocked_by", sa.Text(), nullable=True),
        sa.Column("unlock_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(_VENUES, name=op.f("ck_loss_locks_venue")),
        sa.CheckConstraint(_SCOPES, name=op.f("ck_loss_locks_scope")),
        sa.CheckConstraint(_RULES, name=op.f("ck_loss_locks_rule")),
        sa.CheckConstraint(
            "(flat_at IS NULL) = (flat_wall IS NULL) AND (flat_at IS NULL) = (flat_value IS NULL)",
            name=op.f("ck_loss_locks_flat_at_once"),
        ),
        sa.CheckConstraint(
            "(unlocked_at IS NULL) = (unlocked_by IS NULL) AND (unlocked_at IS NULL) = (unlock_reason IS NULL)",
            name=op.f("ck_loss_locks_unlocked_by_somebody"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loss_locks")),
    )
    op.create_index(
        "uq_loss_locks_in_force",
        "loss_locks",
        ["day", "venue", "scope", "target"],
        unique=True,
        postgresql_where=sa.text("unlocked_at IS NULL"),
    )
    op.create_table(
        "equity_points",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("minute", _AT, nullable=False),
        sa.Column("realized", _AMOUNT, nullable=False),
        sa.Column("unrealized", _AMOUNT, nullable=False),
        sa.Column("peak", _AMOUNT, nullable=False),
        sa.CheckConstraint(_VENUES, name=op.f("ck_equity_points_venue")),
        sa.CheckConstraint(_SCOPES, name=op.f("ck_equity_points_scope")),
        sa.PrimaryKeyConstraint("venue", "day", "scope", "target", "minute", name=op.f("pk_equity_points")),
    )
    _guard_locks()


def _guard_locks() -> None:
    op.execute(
        """
        CREATE FUNCTION settle_once() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            flat text[] := ARRAY['flat_at', 'flat_wall', 'flat_value'];
            ended text[] := ARRAY['unlocked_at', 'unlocked_by', 'unlock_reason'];
            kept text[] := ARRAY[]::text[];
        BEGIN
            IF OLD.flat_at IS NULL THEN kept := kept || flat; END IF;
            IF OLD.unlocked_at IS NULL THEN kept := kept || ended; END IF;
            IF to_jsonb(NEW) - kept IS DISTINCT FROM to_jsonb(OLD) - kept THEN
                RAISE EXCEPTION '% of % is settled once: change refused', OLD.id, TG_TABLE_NAME
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER loss_locks_settled_once BEFORE UPDATE ON loss_locks "
        "FOR EACH ROW EXECUTE FUNCTION settle_once()"
    )
    op.execute(
        "CREATE TRIGGER loss_locks_never_gone BEFORE DELETE OR TRUNCATE ON loss_locks "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("equity_points")
    op.drop_table("loss_locks")
    op.execute("DROP FUNCTION settle_once()")
