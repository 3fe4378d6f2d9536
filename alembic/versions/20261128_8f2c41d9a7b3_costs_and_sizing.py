"""Keep fees that brokers report, what an account pays and has, and how a deployment sizes its entries.

Revision: 8f2c41d9a7b3, after 9c3f5d7e1a20.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "8f2c41d9a7b3"
down_revision: str | Sequence[str] | None = "9c3f5d7e1a20"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Move the schema forward; the release before this one must still work with it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table, column in (("accounts", "settings"), ("deployments", "sizing")):
        kind = postgresql.JSONB(astext_type=sa.Text())
        op.add_column(table, sa.Column(column, kind, server_default=sa.text("'{}'::jsonb"), nullable=False))
    op.add_column("broker_trades", sa.Column("fee", sa.Numeric(28, 10), nullable=True))
    op.add_column("broker_trades", sa.Column("fee_currency", sa.Text(), nullable=True))


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("broker_trades", "fee_currency")
    op.drop_column("broker_trades", "fee")
    op.drop_column("deployments", "sizing")
    op.drop_column("accounts", "settings")
