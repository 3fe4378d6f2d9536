"""Keep the limits of every scope, version by version.

Revision: 9f2b6d41c8e3, after 91c4f0e7a2d5.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "9f2b6d41c8e3"
down_revision: str | Sequence[str] | None = "91c4f0e7a2d5"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Move the schema forward; the release before this one must still work with it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "limit_versions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("values", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ts_init", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "scope IN ('TENANT', 'BROKER', 'USER', 'ACCOUNT', 'DEPLOYMENT')",
            name=op.f("ck_limit_versions_scope"),
        ),
        sa.CheckConstraint(
            "role IN ('ADMIN', 'OPS', 'TRADER')", name=op.f("ck_limit_versions_role")
        ),
        sa.CheckConstraint("version > 0", name=op.f("ck_limit_versions_version_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limit_versions")),
        sa.UniqueConstraint(
            "scope", "target", "version", name=op.f("uq_limit_versions_scope_target_version")
        ),
    )
    op.execute(
        "CREATE TRIGGER limit_versions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON limit_versions "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("limit_versions")
