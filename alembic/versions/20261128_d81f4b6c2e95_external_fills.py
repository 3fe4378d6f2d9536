"""Book what was traded at the broker without us, and what of a leg the broker's book does not hold.

Revision: d81f4b6c2e95, after c3a5e1d07b42.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "d81f4b6c2e95"
down_revision: str | Sequence[str] | None = "c3a5e1d07b42"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_AMOUNT = sa.Numeric(precision=28, scale=10)


def upgrade() -> None:
    """Move the schema forward; the release before this one must still work with it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "external_fills",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("broker_order_id", sa.Text(), nullable=False),
        sa.Column("cumulative_qty", _AMOUNT, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("broker_symbol", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=True),
        sa.Column("deployment_id", sa.BigInteger(), nullable=True),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", _AMOUNT, nullable=False),
        sa.Column("price", _AMOUNT, nullable=False),
        sa.Column("ts_init", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "wall", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("side IN ('BUY', 'SELL')", name=op.f("ck_external_fills_side")),
        sa.CheckConstraint(
            "quantity > 0 AND quantity <= cumulative_qty",
            name=op.f("ck_external_fills_quantity_within_cumulative"),
        ),
        sa.CheckConstraint(
            "deployment_id IS NULL OR instrument_id IS NOT NULL",
            name=op.f("ck_external_fills_claimed_by_a_leg"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_external_fills_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.id"], name=op.f("fk_external_fills_deployment_id_deployments")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_external_fills_user_id_users")),
        sa.PrimaryKeyConstraint(
            "account_id", "broker_order_id", "cumulative_qty", name=op.f("pk_external_fills")
        ),
    )
    op.create_index("ix_external_fills_account_id_day", "external_fills", ["account_id", "day"])
    op.create_index(op.f("ix_external_fills_user_id"), "external_fills", ["user_id"])
    op.execute(
        "CREATE TRIGGER external_fills_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON external_fills "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.add_column("legs", sa.Column("missing_qty", _AMOUNT, server_default="0", nullable=False))


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("legs", "missing_qty")
    op.drop_table("external_fills")
