"""Group users into families, and let limits, loss locks and equity points name one.

Revision: 3d7a90be5c41, after c6d1e85f3a90.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "3d7a90be5c41"
down_revision: str | Sequence[str] | None = "c6d1e85f3a90"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TABLES = ("limit_versions", "loss_locks", "equity_points")
_BEFORE = "'TENANT', 'BROKER', 'USER', 'ACCOUNT', 'DEPLOYMENT'"
_AFTER = "'TENANT', 'BROKER', 'FAMILY', 'USER', 'ACCOUNT', 'DEPLOYMENT'"


def upgrade() -> None:
    """Move the schema forward; the release before this one must still work with it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "families",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_families")),
        sa.UniqueConstraint("name", name=op.f("uq_families_name")),
    )
    op.add_column("users", sa.Column("family_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_users_family_id_families"), "users", "families", ["family_id"], ["id"])
    op.create_index(op.f("ix_users_family_id"), "users", ["family_id"])
    _check_scopes(_AFTER)


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    _check_scopes(_BEFORE)
    op.drop_column("users", "family_id")
    op.drop_table("families")


def _check_scopes(scopes: str) -> None:
    for table in _TABLES:
        name = op.f(f"ck_{table}_scope")
        op.drop_constraint(name, table, type_="check")
        op.create_check_constraint(name, table, f"scope IN ({scopes})")
