"""Notice that a ledger may be behind the brokers' books, as after a restored backup.

Revision: 4be80d21f6a7, after 4d9a6c2e8f17.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "4be80d21f6a7"
down_revision: str | Sequence[str] | None = "4d9a6c2e8f17"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Move the schema forward; the release before this one must still work with it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("accounts", sa.Column("unproven_since", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "lost_orders",
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("broker_order_id", sa.Text(), nullable=False),
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_lost_orders_account_id_accounts")),
        sa.PrimaryKeyConstraint("client_order_id", name=op.f("pk_lost_orders")),
    )
    op.create_index(op.f("ix_lost_orders_account_id"), "lost_orders", ["account_id"], unique=False)


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("lost_orders")
    op.drop_column("accounts", "unproven_since")
