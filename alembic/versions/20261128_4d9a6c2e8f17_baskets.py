"""Record which legs hedge, how long a leg may take, and how the legs of a signal ended together.

Revision: 4d9a6c2e8f17, after d81f4b6c2e95.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "4d9a6c2e8f17"
down_revision: str | Sequence[str] | None = "d81f4b6c2e95"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_RESULTS = "result IN ('COMPLETE', 'PARTIAL', 'NOT_FILLED', 'UNWINDING', 'UNWOUND')"
_OPEN = "kind = 'ENTER' AND (result IS NULL OR result = 'UNWINDING')"


def upgrade() -> None:
    """Move the schema forward; the release before this one must still work with it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("orders", sa.Column("is_hedge", sa.Boolean(), server_default="false", nullable=False))
    op.add_column(
        "signals", sa.Column("leg_timeout_s", sa.Numeric(28, 10), server_default="10", nullable=False)
    )
    op.add_column(
        "signals", sa.Column("when_unfilled", sa.Text(), server_default="CANCEL", nullable=False)
    )
    op.add_column("signals", sa.Column("result", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_signals_when_unfilled"), "signals", "when_unfilled IN ('CANCEL', 'CHASE')"
    )
    op.create_check_constraint(op.f("ck_signals_result"), "signals", _RESULTS)
    op.create_index("ix_signals_open", "signals", ["id"], unique=False, postgresql_where=sa.text(_OPEN))


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_signals_open", table_name="signals", postgresql_where=sa.text(_OPEN))
    op.drop_constraint(op.f("ck_signals_result"), "signals")
    op.drop_constraint(op.f("ck_signals_when_unfilled"), "signals")
    op.drop_column("signals", "result")
    op.drop_column("signals", "when_unfilled")
    op.drop_column("signals", "leg_timeout_s")
    op.drop_column("orders", "is_hedge")
