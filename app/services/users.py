"""Let people in and out."""

from sqlalchemy.orm import Session

from app.db.accounts import list_accounts, lock_open_business
from app.db.users import (
    add_user,
    find_password_hash,
    find_user,
    get_user,
    list_users_for_staff,
    set_password_hash,
    set_user_enabled,
)
from app.domain.entry_checks import check_name, check_password
from app.domain.errors import ConflictError, ForbiddenError, NotFoundError
from app.domain.ids import UserId
from app.domain.users import Actor, Role, User, require_admin, require_control, require_view
from app.infra.passwords import hash_password, is_password
from app.services.acts import record


def create_user(session: Session, actor: Actor, *, name: str, role: Role, password: str | None) -> User:
    """Add a person; without a password they own accounts but cannot sign in.

    Raises: ForbiddenError, InvalidInputError for a bad name or password, ConflictError for a taken name.
    """
    require_admin(actor)
    check_name("a user", name)
    password_hash = None if password is None else hash_password(check_password(password))
    user = add_user(session, name=name, role=role, password_hash=password_hash)
    record(session, actor, "user.added", subject=_subject(user), name=name, role=role)
    return user


def list_users(session: Session, actor: Actor) -> list[User]:
    """Return all users to staff, and to everybody else themselves."""
    if actor.is_staff:
        return list_users_for_staff(session)
    return [] if actor.user_id is None else [get_user(session, actor.user_id)]


def get_user_by_name(session: Session, actor: Actor, name: str) -> User:
    """Return a user that the actor may see. Raises NotFoundError, also where there is nothing to see."""
    user = find_user(session, name)
    if user is None or (not actor.is_staff and actor.user_id != user.user_id):
        raise NotFoundError(f"expected an existing user, got {name!r}")
    return user


def set_password(session: Session, actor: Actor, user_id: UserId, password: str) -> None:
    """Replace a password. Raises ForbiddenError, InvalidInputError."""
    user = get_user(session, user_id)
    require_control(actor, user.user_id)
    set_password_hash(session, user_id, hash_password(check_password(password)))
    record(session, actor, "user.password_set", subject=_subject(user))


def disable_user(session: Session, actor: Actor, user_id: UserId, *, reason: str) -> None:
    """Keep a user from signing in and trading.

    Raises: ConflictError while an account of theirs holds a position or an open order: who is out gets no
        exits, so they must be flat first.
    """
    require_admin(actor)
    user = get_user(session, user_id)
    busy = [
        a.name for a in list_accounts(session, user_id) if lock_open_business(session, user_id, a.account_id)
    ]
    if busy:
        raise ConflictError(
            f"expected the accounts of {user.name} to be flat, "
            f"got positions or open orders on {', '.join(busy)}; square off first"
        )
    set_user_enabled(session, user_id, is_enabled=False)
    record(session, actor, "user.disabled", subject=_subject(user), reason=reason)


def enable_user(session: Session, actor: Actor, user_id: UserId, *, reason: str) -> None:
    """Let a user sign in and trade again."""
    require_admin(actor)
    user = get_user(session, user_id)
    set_user_enabled(session, user_id, is_enabled=True)
    record(session, actor, "user.enabled", subject=_subject(user), reason=reason)


def authenticate(session: Session, name: str, password: str) -> User:
    """Return the user who signs in.

    Raises: ForbiddenError, with one sentence and after the same time whatever was wrong.
    """
    user = find_user(session, name)
    password_hash = None if user is None else find_password_hash(session, user.user_id)
    if not is_password(password, password_hash) or user is None or not user.is_enabled:
        raise ForbiddenError("expected the name and password of an enabled user")
    return user


def require_visible(session: Session, actor: Actor, user_id: UserId) -> User:
    """Return a user whose data the actor may see. Raises ForbiddenError, NotFoundError."""
    require_view(actor, user_id)
    return get_user(session, user_id)


def _subject(user: User) -> str:
    return f"user {user.user_id}"
