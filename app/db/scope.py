"""Scope every read and write of user data, so that nobody sees or touches another's (I13)."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import InstrumentedAttribute

from app.domain.errors import ForbiddenError
from app.domain.ids import UserId
from app.domain.users import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class DataScope:
    """Say whose rows may be seen: one user's, or (None, staff only) everybody's."""

    user_id: UserId | None

    def allows(self, owner: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        """Return the condition on the column that names a row's owner."""
        return true() if self.user_id is None else owner == self.user_id


def scope_of(actor: Actor) -> DataScope:
    """Return whose rows an actor may see: everybody's for staff, else the own.

    Raises:
        ForbiddenError: neither a user nor staff.
    """
    if not actor.is_staff and actor.user_id is None:
        raise ForbiddenError("expected a user or staff")
    return DataScope(user_id=None if actor.is_staff else actor.user_id)
