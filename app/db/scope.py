"""Scope every read and write of user data, so that nobody sees or touches another's (I13)."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import InstrumentedAttribute

from app.domain.ids import UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class DataScope:
    """Say whose rows may be seen: one user's, or (None, staff only) everybody's."""

    user_id: UserId | None

    def allows(self, owner: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        """Return the condition on the column that names a row's owner."""
        return true() if self.user_id is None else owner == self.user_id
