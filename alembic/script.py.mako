"""${message[0].upper() + message[1:]}.

Revision: ${up_revision}, after ${down_revision | comma,n}.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision: str = ${repr(up_revision)}
down_revision: str | Sequence[str] | None = ${repr(down_revision)}
branch_labels: str | Sequence[str] | None = ${repr(branch_labels)}
depends_on: str | Sequence[str] | None = ${repr(depends_on)}


def upgrade() -> None:
    """Move the schema forward; the release before this one must still work with it."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Undo the step, for development; in production we only move forward."""
    ${downgrades if downgrades else "pass"}
