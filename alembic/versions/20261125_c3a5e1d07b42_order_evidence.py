"""Keep the evidence about orders with unknown outcome, and let people settle them.

Revision: c3a5e1d07b42, after 7c1d2f90ab34.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "c3a5e1d07b42"
down_revision: str | Sequence[str] | None = "7c1d2f90ab34"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_KINDS = (
    "'KILL_SWITCH', 'SQUARE_OFF', 'TRIGGER_PHASE', 'RETRY_LOGIN', 'PAUSE_DEPLOYMENT', 'RESUME_DEPLOYMENT'"
)


def upgrade() -> None:
    """Move the schema forward; the release before this one must still work with it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    _set_command_kinds(f"{_KINDS}, 'RESOLVE_UNKNOWN'")
    op.create_table(
        "order_evidence",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("is_clean", sa.Boolean(), nullable=False),
        sa.Column("is_proof", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("broker_order_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("provable_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looks", sa.Integer(), server_default="1", nullable=False),
        sa.Column("ts_init", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_wall", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_wall", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "source IN ('TAG', 'ORDERS', 'TRADES', 'STREAM', 'OPERATOR')",
            name=op.f("ck_order_evidence_source"),
        ),
        sa.CheckConstraint("looks > 0", name=op.f("ck_order_evidence_looks_positive")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_evidence_order_id_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_evidence")),
    )
    op.create_index(op.f("ix_order_evidence_order_id"), "order_evidence", ["order_id"], unique=False)
    op.create_index(
        "ix_orders_unknown", "orders", ["account_id"], unique=False, postgresql_where=sa.text("is_unknown")
    )
    _make_append_only()


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_orders_unknown", table_name="orders", postgresql_where=sa.text("is_unknown"))
    op.drop_table("order_evidence")
    op.execute("DROP FUNCTION refuse_other_evidence()")
    _set_command_kinds(_KINDS)


def _set_command_kinds(values: str) -> None:
    op.execute("ALTER TABLE commands DROP CONSTRAINT ck_commands_kind")
    op.execute(f"ALTER TABLE commands ADD CONSTRAINT ck_commands_kind CHECK (kind IN ({values}))")


def _make_append_only() -> None:
    """Refuse every change but one: an equal look is counted and moves the time of the last one."""
    op.execute(
        "CREATE TRIGGER order_evidence_append_only BEFORE DELETE OR TRUNCATE ON order_evidence "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        """
        CREATE FUNCTION refuse_other_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.looks <> OLD.looks + 1 OR NEW.last_wall < OLD.last_wall
               OR to_jsonb(NEW) - 'looks' - 'last_wall' <> to_jsonb(OLD) - 'looks' - 'last_wall' THEN
                RAISE EXCEPTION 'order_evidence is append-only: UPDATE refused'
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER order_evidence_only_counts BEFORE UPDATE ON order_evidence "
        "FOR EACH ROW EXECUTE FUNCTION refuse_other_evidence()"
    )
