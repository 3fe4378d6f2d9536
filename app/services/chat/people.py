"""Know the people of a chat as users of ours."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from app.db.users import find_user
from app.domain.users import Actor


class People:
    """Hold who of the chat is which user; names are looked up each time, a disabled user is nobody."""

    def __init__(self, names: Mapping[str, str], *, origin: str) -> None:
        """Args: names: user names by the chat's own numbers. origin: of what they do, for the audit log."""
        self._names = dict(names)
        self._origin = origin

    @property
    def numbers(self) -> tuple[str, ...]:
        """The chat's numbers of everybody we know."""
        return tuple(self._names)

    def actor(self, session: Session, number: str) -> Actor | None:
        """Return who it is, None for strangers and for disabled users."""
        name = self._names.get(number)
        user = None if name is None else find_user(session, name)
        if user is None or not user.is_enabled:
            return None
        origin = f"{self._origin} {number}"
        return Actor(name=user.name, role=user.role, origin=origin, user_id=user.user_id)
