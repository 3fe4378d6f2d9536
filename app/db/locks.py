"""Lock accounts, always in one order: who decides about its orders holds an account until the commit."""

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.db.models import AccountRow


def lock_accounts(session: Session, *conditions: ColumnElement[bool]) -> None:
    """Lock the accounts that meet all conditions, in id order. What is read afterwards is of after it."""
    statement = select(AccountRow.id).where(*conditions).order_by(AccountRow.id)
    session.execute(statement.with_for_update(key_share=True)).all()
