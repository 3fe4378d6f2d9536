"""Say whom a set of limits covers, and join the sets that cover one deployment: the strictest wins."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from decimal import Decimal
from enum import StrEnum

from app.domain.accounts import BrokerCode
from app.domain.errors import InvalidInputError
from app.domain.ids import AccountId, DeploymentId, UserId
from app.domain.risk.limits import RiskLimits, parse_limits


class LimitScope(StrEnum):
    """Name what a set of limits covers, widest first."""

    TENANT = "TENANT"
    BROKER = "BROKER"
    USER = "USER"
    ACCOUNT = "ACCOUNT"
    DEPLOYMENT = "DEPLOYMENT"


ScopeKey = tuple[LimitScope, str]
"""A scope and whom of its kind it means: a broker's code, or the id of a user, account or deployment.

The tenant is all there is, so its target is "".
"""


def scope_key(scope: LimitScope, target: str) -> ScopeKey:
    """Return a scope with its target in the one spelling that is stored.

    Raises:
        InvalidInputError: a target that no such scope can have; it would silently cover nobody.
    """
    match scope:
        case LimitScope.TENANT:
            is_sound = target == ""
            expected = "no target"
        case LimitScope.BROKER:
            is_sound = target in set(BrokerCode)
            expected = f"one of {', '.join(BrokerCode)}"
        case LimitScope.USER | LimitScope.ACCOUNT | LimitScope.DEPLOYMENT:
            is_sound = target.isascii() and target.isdigit() and target == str(int(target))
            expected = f"the id of the {scope.lower()}"
    if not is_sound:
        raise InvalidInputError(f"limits of scope {scope}: expected {expected}, got {target!r}")
    return scope, target


def covering(
    *, broker: BrokerCode, user_id: UserId, account_id: AccountId, deployment_id: DeploymentId | None = None
) -> tuple[ScopeKey, ...]:
    """Return the scopes that cover a deployment, or an account as a whole, widest first."""
    keys: list[ScopeKey] = [
        (LimitScope.TENANT, ""),
        (LimitScope.BROKER, broker.value),
        (LimitScope.USER, str(user_id)),
        (LimitScope.ACCOUNT, str(account_id)),
    ]
    if deployment_id is not None:
        keys.append((LimitScope.DEPLOYMENT, str(deployment_id)))
    return tuple(keys)


def strictest(sets: Iterable[Mapping[str, Decimal]]) -> dict[str, Decimal]:
    """Join partial sets of limits, for each name the strictest value that any of them gives."""
    joined: dict[str, Decimal] = {}
    for values in sets:
        for name, value in values.items():
            joined[name] = min(joined[name], value) if name in joined else value
    return joined


def limits_in_force(base: RiskLimits, sets: Iterable[Mapping[str, object]]) -> RiskLimits:
    """Return a deployment's own limits tightened by the sets that cover it; none of them can loosen.

    Args:
        base: the deployment's initial set over the defaults.
        sets: what the covering scopes say, as stored.

    Raises:
        InvalidInputError: a stored set that this release cannot read.
    """
    own = {name: value for name, value in asdict(base).items() if value is not None}
    return replace(base, **strictest([own, *map(parse_limits, sets)]))
