"""Let the operator of the machine, who is no user, press the kill switch and be on record.

Revision: 9f3b7a1c5e20, after 9f2b6d41c8e3.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "9f3b7a1c5e20"
down_revision: str | Sequence[str] | None = "9f2b6d41c8e3"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Move the schema forward; the release before this one must still work with it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.alter_column("commands", "user_id", nullable=True)


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DELETE FROM commands WHERE user_id IS NULL")
    op.alter_column("commands", "user_id", nullable=False)
