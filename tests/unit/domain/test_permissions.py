"""Admins do everything, ops watch and stop everything, traders see only what is theirs."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest

from app.domain.errors import ForbiddenError
from app.domain.ids import UserId
from app.domain.users import Actor, Role, require_admin, require_control, require_view

OWNER = UserId(7)


def actor(role: Role, user_id: int | None) -> Actor:
    return Actor(
        name="someone", role=role, origin="test", user_id=None if user_id is None else UserId(user_id)
    )


@pytest.mark.parametrize(
    ("who", "allowed"),
    [
        (actor(Role.ADMIN, None), {"view", "control", "administer"}),
        (actor(Role.OPS, 1), {"view"}),
        (actor(Role.TRADER, 7), {"view", "control"}),
        (actor(Role.TRADER, 8), set()),
        (actor(Role.TRADER, None), set()),
    ],
)
def test_each_role_may_do_exactly_its_part(who: Actor, allowed: set[str]) -> None:
    checks: dict[str, Callable[[], None]] = {
        "view": lambda: require_view(who, OWNER),
        "control": lambda: require_control(who, OWNER),
        "administer": lambda: require_admin(who),
    }
    for act, check in checks.items():
        with nullcontext() if act in allowed else pytest.raises(ForbiddenError, match="someone"):
            check()
