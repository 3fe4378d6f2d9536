"""Group users into families, whose limits, losses and kill switch count for all their accounts."""

from datetime import datetime

from sqlalchemy.orm import Session

from app.db.accounts import list_accounts, lock_open_business
from app.db.families import add_family, family_of_user, list_families, set_family_of_user
from app.db.loss_locks import locks_in_force
from app.domain.entry_checks import check_name
from app.domain.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from app.domain.risk.scopes import LimitScope
from app.domain.users import Actor, Family, User, require_admin
from app.services.acts import record
from app.services.loss_locks import days_of


def create_family(session: Session, actor: Actor, name: str) -> Family:
    """Add a family without members.

    Raises: ForbiddenError, InvalidInputError for a bad name, ConflictError for a taken one.
    """
    require_admin(actor)
    check_name("a family", name)
    family = add_family(session, name)
    record(session, actor, "family.added", subject=_subject(family), name=name)
    return family


def show_families(session: Session, actor: Actor) -> list[Family]:
    """Return all families by name. Raises ForbiddenError: a user is not told who the others are (I13)."""
    if not actor.is_staff:
        raise ForbiddenError(f"expected staff for families, got {actor.name}")
    return list_families(session)


def get_family_by_name(session: Session, actor: Actor, name: str) -> Family:
    """Return a family. Raises NotFoundError, ForbiddenError as `show_families`."""
    found = next((family for family in show_families(session, actor) if family.name == name), None)
    if found is None:
        raise NotFoundError(f"expected an existing family, got {name!r}; add one: openbell families add")
    return found


def join_family(session: Session, actor: Actor, family: Family, user: User, *, reason: str) -> None:
    """Let a user belong to a family from now on; its limits bind the user's next order.

    Raises: ForbiddenError; ConflictError for a member of any family: nobody has two.
    """
    require_admin(actor)
    _require_reason(reason)
    if family_of_user(session, user.user_id, is_locked=True) is not None:
        raise ConflictError(f"expected a user of no family, {user.name} must leave the present one first")
    set_family_of_user(session, user.user_id, family.family_id)
    record(session, actor, "family.joined", subject=_subject(family), reason=reason, **_details(user))


def leave_family(
    session: Session, actor: Actor, family: Family, user: User, *, reason: str, now: datetime
) -> None:
    """Let a user belong to no family; its limits bind the user no longer.

    Raises: ForbiddenError; NotFoundError for somebody who is no member; ConflictError while an account of
        the user is not flat, or while a loss lock of the family is in force: leaving is no way round either.
    """
    require_admin(actor)
    _require_reason(reason)
    if family_of_user(session, user.user_id, is_locked=True) != family.family_id:
        raise NotFoundError(f"expected a member of {family.name}, got {user.name}")
    accounts = list_accounts(session, user.user_id)
    busy = [a.name for a in accounts if lock_open_business(session, user.user_id, a.account_id)]
    if busy:
        raise ConflictError(
            f"expected the accounts of {user.name} to be flat, "
            f"got positions or open orders on {', '.join(busy)}; square off first"
        )
    if locks_in_force(session, (LimitScope.FAMILY, str(family.family_id)), days_of(now)):
        raise ConflictError(f"expected no loss lock of {family.name}; unlock it first: openbell resume")
    set_family_of_user(session, user.user_id, None)
    record(session, actor, "family.left", subject=_subject(family), reason=reason, **_details(user))


def _details(user: User) -> dict[str, object]:
    return {"user_id": user.user_id, "user_name": user.name}


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise InvalidInputError("reason: expected why the members change, got nothing")


def _subject(family: Family) -> str:
    return f"family:{family.family_id}"
