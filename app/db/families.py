"""Read and write families: named groups of users. Callers hold the transaction."""

from sqlalchemy import exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import FamilyRow, UserRow
from app.domain.errors import ConflictError
from app.domain.ids import FamilyId, UserId
from app.domain.users import Family


def add_family(session: Session, name: str) -> Family:
    """Insert a family without members. Raises ConflictError when the name is taken."""
    statement = insert(FamilyRow).values(name=name).on_conflict_do_nothing(index_elements=["name"])
    family_id = session.scalar(statement.returning(FamilyRow.id))
    if family_id is None:
        raise ConflictError(f"expected a new family name, got {name!r}, which exists")
    return Family(family_id=FamilyId(family_id), name=name)


def list_families(session: Session) -> list[Family]:
    """Return all families by name."""
    members: dict[int, list[str]] = {}
    users = select(UserRow.family_id, UserRow.name).where(UserRow.family_id.is_not(None))
    for family_id, name in session.execute(users.order_by(UserRow.name)):
        members.setdefault(family_id or 0, []).append(name)
    return [
        Family(family_id=FamilyId(row.id), name=row.name, members=tuple(members.get(row.id, ())))
        for row in session.scalars(select(FamilyRow).order_by(FamilyRow.name))
    ]


def exists_family(session: Session, family_id: FamilyId) -> bool:
    """Say whether a family exists."""
    return session.scalar(select(exists().where(FamilyRow.id == family_id))) is True


def family_of_user(session: Session, user_id: UserId, *, is_locked: bool = False) -> FamilyId | None:
    """Return the family of a user, None without one; `is_locked` keeps it so until the commit."""
    statement = select(UserRow.family_id).where(UserRow.id == user_id)
    if is_locked:
        # No stronger: a new order's foreign key shares the user's row while it holds the account's.
        statement = statement.with_for_update(key_share=True)
    family_id = session.scalar(statement)
    return None if family_id is None else FamilyId(family_id)


def set_family_of_user(session: Session, user_id: UserId, family_id: FamilyId | None) -> None:
    """Make a user a member of a family, or of none."""
    session.execute(update(UserRow).where(UserRow.id == user_id).values(family_id=family_id))
