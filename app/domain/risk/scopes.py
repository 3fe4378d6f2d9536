"""Say whom a set of limits covers, and join the sets that cover one deployment: the strictest wins."""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

from app.domain.accounts import BrokerCode
from app.domain.errors import InvalidInputError, InvariantError
from app.domain.ids import AccountId, DeploymentId, FamilyId, UserId
from app.domain.risk.limits import LONGER_IS_STRICTER, LimitSet, LimitValue, MarginCheck, RiskLimits


class LimitScope(StrEnum):
    """Name what a set of limits covers, widest first."""

    TENANT = "TENANT"
    BROKER = "BROKER"
    FAMILY = "FAMILY"
    USER = "USER"
    ACCOUNT = "ACCOUNT"
    DEPLOYMENT = "DEPLOYMENT"


ScopeKey = tuple[LimitScope, str]
"""A scope and whom of its kind it means: a broker's code, or the id of a family, user, account or
deployment.

The tenant is all there is, so its target is "".
"""


def scope_key(scope: LimitScope, target: str) -> ScopeKey:
    """Return a scope with its target in the one spelling that is stored.

    Raises:
        InvalidInputError: a target that no such scope can have; it would silently cover nobody.
    """
    if scope is LimitScope.TENANT:
        is_sound, expected = target == "", "no target"
    elif scope is LimitScope.BROKER:
        is_sound, expected = target in set(BrokerCode), f"one of {', '.join(BrokerCode)}"
    else:
        is_sound = target.isascii() and target.isdigit() and target == str(int(target))
        expected = f"the id of the {scope.lower()}"
    if not is_sound:
        raise InvalidInputError(f"limits of scope {scope}: expected {expected}, got {target!r}")
    return scope, target


def covering(
    *,
    broker: BrokerCode,
    family_id: FamilyId | None,
    user_id: UserId,
    account_id: AccountId,
    deployment_id: DeploymentId | None = None,
) -> tuple[ScopeKey, ...]:
    """Return the scopes that cover a deployment, or an account as a whole, widest first.

    `family_id` is that of the account's user, None for a user of no family.
    """
    keys: list[ScopeKey] = [(LimitScope.TENANT, ""), (LimitScope.BROKER, broker.value)]
    if family_id is not None:
        keys.append((LimitScope.FAMILY, str(family_id)))
    keys += [(LimitScope.USER, str(user_id)), (LimitScope.ACCOUNT, str(account_id))]
    if deployment_id is not None:
        keys.append((LimitScope.DEPLOYMENT, str(deployment_id)))
    return tuple(keys)


def strictest(sets: Iterable[LimitSet]) -> dict[str, LimitValue]:
    """Join partial sets of limits, for each name the strictest value that any of them gives.

    Of lists none is dropped: a symbol must be on every list of the allowed and on none of the denied.
    """
    joined: dict[str, LimitValue] = {}
    for values in sets:
        for name, value in values.items():
            joined[name] = _stricter(name, joined[name], value) if name in joined else value
    return joined


def loosened(before: LimitSet, after: LimitSet) -> list[str]:
    """Return the names whose limit binds less in the second set than in the first, or not at all."""
    return [
        name for name, value in before.items() if name not in after or not _binds(name, after[name], value)
    ]


def limits_in_force(base: RiskLimits, sets: Iterable[LimitSet]) -> RiskLimits:
    """Return a deployment's own limits tightened by the sets that cover it; none of them can loosen.

    Args:
        base: the deployment's initial set over the defaults.
        sets: what the covering scopes say.
    """
    return RiskLimits.of(strictest([base.named, *sets]))


def _stricter(name: str, one: LimitValue, other: LimitValue) -> LimitValue:
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return max(one, other) if name in LONGER_IS_STRICTER else min(one, other)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return (*one, *(symbols for symbols in other if symbols not in one))
    if isinstance(one, frozenset) and isinstance(other, frozenset):
        return one | other
    if isinstance(one, MarginCheck) and isinstance(other, MarginCheck):
        return max(one, other, key=list(MarginCheck).index)
    raise InvariantError(f"{name}: expected two values of one kind, got {one!r} and {other!r}")


def _binds(name: str, value: LimitValue, required: LimitValue) -> bool:
    """Whether a value is at least as strict as another; a shorter list of what is allowed is."""
    if isinstance(value, tuple) and isinstance(required, tuple):
        return all(any(own <= wide for own in value) for wide in required)
    return _stricter(name, required, value) == value
