"""Book what holding costs, and keep the charges beside the course of profit and loss.

Revision: e5a1c70b92d4, after 8f2c41d9a7b3.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "e5a1c70b92d4"
down_revision: str | Sequence[str] | None = "8f2c41d9a7b3"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_AMOUNT = sa.Numeric(precision=28, scale=10)
_AT = sa.DateTime(timezone=True)
_CHARGES = (
    "charge IN ('brokerage', 'stt', 'transaction', 'ipft', 'sebi', 'stamp', 'gst', 'trade_fee', 'commission', "
    "'funding', 'swap')"
)


def upgrade() -> None:
    """Move the schema forward; the release before this one must still work with it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "bookings",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("charge", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("deployment_id", sa.BigInteger(), nullable=True),
        sa.Column("instrument_id", sa.Text(), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("amount", _AMOUNT, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("is_estimated", sa.Boolean(), nullable=False),
        sa.Column("formula", sa.Text(), nullable=False),
        sa.Column("ts_event", _AT, nullable=False),
        sa.Column("ts_init", _AT, nullable=False),
        sa.Column("wall", _AT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint(_CHARGES, name=op.f("ck_bookings_charge")),
        sa.CheckConstraint(
            "deployment_id IS NULL OR instrument_id IS NOT NULL", name=op.f("ck_bookings_booked_to_a_leg")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_bookings_account_id_accounts")),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.id"], name=op.f("fk_bookings_deployment_id_deployments")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_bookings_user_id_users")),
        sa.PrimaryKeyConstraint("account_id", "charge", "ref", "part", name=op.f("pk_bookings")),
    )
    op.create_index(op.f("ix_bookings_day"), "bookings", ["day"])
    op.create_index(op.f("ix_bookings_user_id"), "bookings", ["user_id"])
    op.execute(
        "CREATE TRIGGER bookings_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON bookings "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.add_column("equity_points", sa.Column("charges", _AMOUNT, server_default="0", nullable=False))
    op.add_column(
        "equity_points", sa.Column("is_estimated", sa.Boolean(), server_default="false", nullable=False)
    )


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("equity_points", "is_estimated")
    op.drop_column("equity_points", "charges")
    op.drop_table("bookings")
