"""Let people set when positions leave, and name windows without entries.

Revision: a3d7f1c20b64, after a4c0d6e81f27.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "a3d7f1c20b64"
down_revision: str | Sequence[str] | None = "a4c0d6e81f27"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_AT = sa.DateTime(timezone=True)
_VENUES = "venue IN ('NSE', 'BSE', 'BINANCE', 'MT5')"
_RULES = "rule IN ('NO_ENTRIES', 'FLAT_BEFORE')"
_BY_SOMEBODY = (
    "(withdrawn_at IS NULL) = (withdrawn_by IS NULL) AND (withdrawn_at IS NULL) = (withdrawal_reason IS NULL)"
)
_TABLES = ("square_off_settings", "blackouts")


def upgrade() -> None:
    """Move the schema forward; the release before this one must still work with it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "square_off_settings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("broker", sa.Text(), nullable=True),
        sa.Column("product", sa.Text(), nullable=True),
        sa.Column("is_expiring", sa.Boolean(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.Column("leave_at", sa.Time(), nullable=False),
        sa.Column("entries_end_at", sa.Time(), nullable=True),
        sa.Column("broker_at", sa.Time(), nullable=True),
        *_who_and_why(),
        sa.CheckConstraint(_VENUES, name=op.f("ck_square_off_settings_venue")),
        sa.CheckConstraint("last_day >= first_day", name=op.f("ck_square_off_settings_days_in_order")),
        sa.CheckConstraint(
            "entries_end_at <= leave_at", name=op.f("ck_square_off_settings_entries_end_first")
        ),
        sa.CheckConstraint("leave_at < broker_at", name=op.f("ck_square_off_settings_before_the_broker")),
        sa.CheckConstraint(_BY_SOMEBODY, name=op.f("ck_square_off_settings_withdrawn_by_somebody")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_square_off_settings")),
    )
    op.create_table(
        "blackouts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("covers", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("starts_at", _AT, nullable=False),
        sa.Column("ends_at", _AT, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("lead_s", sa.Integer(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=True),
        *_who_and_why(),
        sa.CheckConstraint(_RULES, name=op.f("ck_blackouts_rule")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_blackouts_ends_later")),
        sa.CheckConstraint("cardinality(covers) > 0", name=op.f("ck_blackouts_covers_something")),
        sa.CheckConstraint(_BY_SOMEBODY, name=op.f("ck_blackouts_withdrawn_by_somebody")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blackouts")),
    )
    _guard()


def _who_and_why() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", _AT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("withdrawn_at", _AT, nullable=True),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawal_reason", sa.Text(), nullable=True),
    )


def _guard() -> None:
    op.execute(
        """
        CREATE FUNCTION withdraw_once() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            kept text[] := ARRAY['withdrawn_at', 'withdrawn_by', 'withdrawal_reason'];
        BEGIN
            IF OLD.withdrawn_at IS NOT NULL
               OR to_jsonb(NEW) - kept IS DISTINCT FROM to_jsonb(OLD) - kept THEN
                RAISE EXCEPTION '% of % may only be withdrawn, once: change refused', OLD.id, TG_TABLE_NAME
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END
        $$
        """
    )
    for table in _TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_withdrawn_once BEFORE UPDATE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION withdraw_once()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_never_gone BEFORE DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in _TABLES:
        op.drop_table(table)
    op.execute("DROP FUNCTION withdraw_once()")
