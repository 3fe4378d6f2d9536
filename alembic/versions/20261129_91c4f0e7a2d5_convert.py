"""Let an unfilled entry be converted: one unbounded step to where the market trades.

Revision: 91c4f0e7a2d5, after 4be80d21f6a7.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "91c4f0e7a2d5"
down_revision: str | Sequence[str] | None = "4be80d21f6a7"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_NAME = "ck_signals_when_unfilled"


def upgrade() -> None:
    """Move the schema forward; the release before this one must still work with it."""
    _allow("'CANCEL', 'CHASE', 'CONVERT'")


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    _allow("'CANCEL', 'CHASE'")


def _allow(kinds: str) -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_constraint(op.f(_NAME), "signals")
    op.create_check_constraint(op.f(_NAME), "signals", f"when_unfilled IN ({kinds})")
