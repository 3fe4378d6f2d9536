"""Hold what Binance and MT5 need: their brokers, instruments, order durations, and ten decimals.

Revision: 7c1d2f90ab34, after 5b1e00a7c0de.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "7c1d2f90ab34"
down_revision: str | Sequence[str] | None = "5b1e00a7c0de"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_AMOUNTS = {
    "bars": ("open", "high", "low", "close", "volume"),
    "indicators": ("value",),
    "instruments": ("tick_size", "lot_size", "freeze_qty", "strike"),
    "broker_trades": ("quantity", "price"),
    "legs": ("net_qty", "entry_qty", "entry_value", "cash", "stop_fraction"),
    "orders": ("quantity", "price", "trigger_price", "stop_fraction", "filled_qty", "avg_px"),
    "fills": ("quantity", "price", "cumulative_qty"),
}
_REASONS = (
    "'none', 'bad_credentials', 'bad_totp', 'ip_denied', 'egress_down', 'timeout', 'broker_down', "
    "'protocol', 'no_credentials'"
)
_SETS = (
    ("accounts", "broker", "'kotak_neo', 'binance_spot', 'binance_futures', 'mt5', 'paper'"),
    ("instruments", "kind", "'INDEX', 'OPTION', 'SPOT', 'PERPETUAL', 'FOREX'"),
    ("orders", "time_in_force", "'DAY', 'GTC', 'IOC', 'FOK'"),
    ("logins", "reason", f"{_REASONS}, 'paper_mode'"),
)
_SETS_BEFORE = (
    ("accounts", "broker", "'kotak_neo', 'paper'"),
    ("instruments", "kind", "'INDEX', 'OPTION'"),
    ("orders", "time_in_force", "'DAY', 'IOC'"),
    ("logins", "reason", _REASONS),
)


def upgrade() -> None:
    """Move the schema forward; the release before this one must still work with it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    _set_amounts("28, 10")
    _set_checks(_SETS)
    amount = sa.Numeric(28, 10)
    op.add_column("instruments", sa.Column("min_notional", amount, server_default="0", nullable=False))
    op.add_column("instruments", sa.Column("contract_size", amount, server_default="1", nullable=False))
    op.add_column("instruments", sa.Column("currency", sa.Text(), server_default="INR", nullable=False))


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for column in ("currency", "contract_size", "min_notional"):
        op.drop_column("instruments", column)
    _set_checks(_SETS_BEFORE)
    _set_amounts("20, 6")


def _set_amounts(precision: str) -> None:
    for table, columns in _AMOUNTS.items():
        changes = ", ".join(f"ALTER COLUMN {column} TYPE numeric({precision})" for column in columns)
        op.execute(f"ALTER TABLE {table} {changes}")


def _set_checks(sets: Sequence[tuple[str, str, str]]) -> None:
    for table, column, values in sets:
        name = f"ck_{table}_{column}"
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IN ({values}))")
