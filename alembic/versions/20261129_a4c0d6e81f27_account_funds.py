"""Keep the newest figure of each account's money, for the check of margin.

Revision: a4c0d6e81f27, after 3d7a90be5c41.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "a4c0d6e81f27"
down_revision: str | Sequence[str] | None = "3d7a90be5c41"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Move the schema forward; the release before this one must still work with it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "account_funds",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("available", sa.Numeric(28, 10), nullable=False),
        sa.Column("used", sa.Numeric(28, 10), nullable=False),
        sa.Column("asked_wall", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_funds_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account_funds")),
    )


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("account_funds")
