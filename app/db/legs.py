"""Lock legs, always in one order, so that writers of many legs cannot wait for each other in a circle."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.db.models import LegRow


def lock_legs(session: Session, *conditions: ColumnElement[bool]) -> Sequence[LegRow]:
    """Lock and return the legs that meet all conditions, in the order of account, deployment, instrument."""
    statement = (
        select(LegRow)
        .where(*conditions)
        .order_by(LegRow.account_id, LegRow.deployment_id, LegRow.instrument_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return session.scalars(statement).all()
