"""Give orders and legs their exit rules, and legs what the rules remember.

Revision: 9c3f5d7e1a20, after b7e40c915d22.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "9c3f5d7e1a20"
down_revision: str | Sequence[str] | None = "b7e40c915d22"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_COLUMNS = (("orders", "exit_terms"), ("legs", "exit_terms"), ("legs", "exit_state"))


def upgrade() -> None:
    """Move the schema forward; the release before this one must still work with it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table, column in _COLUMNS:
        op.add_column(table, sa.Column(column, postgresql.JSONB(astext_type=sa.Text()), nullable=True))


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table, column in reversed(_COLUMNS):
        op.drop_column(table, column)
