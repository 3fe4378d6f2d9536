"""Name the weekend of forex, which people may withdraw or replace like any other window.

Revision: c41e8a95d7f2, after a3d7f1c20b64.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "c41e8a95d7f2"
down_revision: str | Sequence[str] | None = "a3d7f1c20b64"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Flat from half an hour before the close on Friday, no entries in the half hour before that."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        """
        INSERT INTO blackouts (name, covers, starts_at, ends_at, rule, lead_s, timezone, actor, reason)
        VALUES ('forex weekend', '{MT5}',
                timestamp '2025-01-03 16:30' AT TIME ZONE 'America/New_York',
                timestamp '2025-01-05 17:00' AT TIME ZONE 'America/New_York',
                'FLAT_BEFORE', 1800, 'America/New_York', 'openbell', 'prices jump over the weekend')
        """
    )


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE blackouts DISABLE TRIGGER USER")
    op.execute("DELETE FROM blackouts WHERE name = 'forex weekend' AND actor = 'openbell'")
    op.execute("ALTER TABLE blackouts ENABLE TRIGGER USER")
