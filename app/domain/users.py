"""Describe the people who sign in, and who may do what."""

from dataclasses import dataclass
from enum import StrEnum

from app.domain.accounts import TradingState
from app.domain.errors import ForbiddenError
from app.domain.ids import FamilyId, UserId


class Role(StrEnum):
    """Say what a user may do: everything, watch and stop everything, or only the own accounts."""

    ADMIN = "ADMIN"
    OPS = "OPS"
    TRADER = "TRADER"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Identify a person who signs in. `trading_state` holds for all of the user's accounts."""

    user_id: UserId
    name: str
    role: Role
    is_enabled: bool = True
    trading_state: TradingState = TradingState.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Name users whose accounts are limited, and stopped, together: a household, the accounts of a fund.

    `members` are their names, in order.
    """

    family_id: FamilyId
    name: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Say who acts and from where, for permissions and the audit log (I14).

    `user_id` is None for the operator of the machine and for jobs; `origin` reads like "cli" or
    "api 203.0.113.7".
    """

    name: str
    role: Role
    origin: str
    user_id: UserId | None = None

    @property
    def is_staff(self) -> bool:
        """Whether this actor may see the data of every user."""
        return self.role in {Role.ADMIN, Role.OPS}


def require_admin(actor: Actor) -> None:
    """Raise ForbiddenError unless the actor may do everything."""
    if actor.role is not Role.ADMIN:
        raise ForbiddenError(f"expected an {Role.ADMIN}, got {actor.name} with role {actor.role}")


def require_view(actor: Actor, owner: UserId) -> None:
    """Raise ForbiddenError unless the actor may see, and stop, what belongs to `owner`."""
    if not actor.is_staff and actor.user_id != owner:
        raise ForbiddenError(f"expected the owner or staff, got {actor.name} with role {actor.role}")


def require_control(actor: Actor, owner: UserId) -> None:
    """Raise ForbiddenError unless the actor may change, and let trade, what belongs to `owner`."""
    if actor.role is not Role.ADMIN and actor.user_id != owner:
        raise ForbiddenError(
            f"expected the owner or an {Role.ADMIN}, got {actor.name} with role {actor.role}"
        )
