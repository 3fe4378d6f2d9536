"""Remember which chat was told of which alarm, in which message: a reply to it says whom it means.

Revision: 9b1e4c7d2a60, after c41e8a95d7f2.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "9b1e4c7d2a60"
down_revision: str | Sequence[str] | None = "c41e8a95d7f2"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Move the schema forward; the release before this one must still work with it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "alarm_notices",
        sa.Column("alarm_id", sa.BigInteger(), nullable=False),
        sa.Column("chat", sa.Text(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarms.id"], name=op.f("fk_alarm_notices_alarm_id_alarms")),
        sa.PrimaryKeyConstraint("alarm_id", "chat", name=op.f("pk_alarm_notices")),
    )
    op.create_index("ix_alarm_notices_message", "alarm_notices", ["chat", "message_id"])


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("alarm_notices")
