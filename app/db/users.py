"""Read and write users."""

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import UserRow
from app.domain.accounts import TradingState
from app.domain.errors import ConflictError, NotFoundError
from app.domain.ids import UserId
from app.domain.users import Role, User


def add_user(session: Session, *, name: str, role: Role, password_hash: str | None) -> User:
    """Insert a user. Raises ConflictError when the name is taken."""
    statement = (
        insert(UserRow)
        .values(name=name, role=role, password_hash=password_hash)
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(UserRow)
    )
    row = session.scalars(statement).one_or_none()
    if row is None:
        raise ConflictError(f"expected a new user name, got {name!r}, which exists")
    return _user(row)


def get_user(session: Session, user_id: UserId) -> User:
    """Return a user. Raises NotFoundError."""
    return _user(_row(session, user_id))


def find_user(session: Session, name: str) -> User | None:
    """Return the user of this name, or None."""
    row = session.scalars(select(UserRow).where(UserRow.name == name)).one_or_none()
    return None if row is None else _user(row)


def find_password_hash(session: Session, user_id: UserId) -> str | None:
    """Return the hash to check a password against; None for a user who cannot sign in."""
    return _row(session, user_id).password_hash


def list_users_for_staff(session: Session) -> list[User]:
    """Return all users by name."""
    return [_user(row) for row in session.scalars(select(UserRow).order_by(UserRow.name))]


def set_password_hash(session: Session, user_id: UserId, password_hash: str) -> None:
    """Replace a user's password."""
    session.execute(update(UserRow).where(UserRow.id == user_id).values(password_hash=password_hash))


def set_user_enabled(session: Session, user_id: UserId, *, is_enabled: bool) -> None:
    """Let a user sign in and trade, or not."""
    session.execute(update(UserRow).where(UserRow.id == user_id).values(is_enabled=is_enabled))


def _row(session: Session, user_id: UserId) -> UserRow:
    row = session.scalars(select(UserRow).where(UserRow.id == user_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"expected an existing user, got id {user_id}")
    return row


def _user(row: UserRow) -> User:
    return User(
        user_id=UserId(row.id),
        name=row.name,
        role=Role(row.role),
        is_enabled=row.is_enabled,
        trading_state=TradingState(row.trading_state),
    )
