"""Describe the people who sign in."""

from dataclasses import dataclass
from enum import StrEnum

from app.domain.ids import UserId


class Role(StrEnum):
    """Say what a user may do: everything, watch and stop everything, or only the own accounts."""

    ADMIN = "ADMIN"
    OPS = "OPS"
    TRADER = "TRADER"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Identify a person who signs in."""

    user_id: UserId
    name: str
    role: Role
