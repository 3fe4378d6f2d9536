"""Show, set and try limits: who set which, and what another set would have denied today."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.db.controls import exists_user
from app.db.families import exists_family, family_of_user
from app.db.instruments import load_instruments
from app.db.limits import (
    LimitVersion,
    add_limit_version,
    current_versions,
    deployments_under,
    limit_history,
    limits_of_deployments,
)
from app.db.past_entries import load_past_entries
from app.db.trades import load_trade_fills
from app.domain.accounts import BrokerAccount
from app.domain.errors import ForbiddenError, InvalidInputError, NotFoundError
from app.domain.ids import AccountId, DeploymentId, FamilyId, UserId
from app.domain.markets import Market, market_of
from app.domain.risk.limits import (
    LimitSet,
    LimitValue,
    RiskLimits,
    parse_initial_limits,
    parse_limits,
    write_limits,
)
from app.domain.risk.scopes import LimitScope, ScopeKey, covering, loosened, strictest
from app.domain.risk.simulation import PastDenial, simulate
from app.domain.users import Actor, Role
from app.services.accounts import get_visible_account
from app.services.acts import record
from app.services.deployments import get_visible_deployment

DEFAULT = "DEFAULT"
INITIAL = "INITIAL"
"""Where a limit comes from that no scope has set: from the platform, or from the deployment as added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitInForce:
    """Show one limit that binds, and what set it: a version of a scope, or None for `origin`.

    `origin` is the scope, INITIAL or DEFAULT. `value` is as it would be written.
    """

    name: str
    value: object
    origin: str
    version: LimitVersion | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Tell what a set of limits would have denied today, of how many entries that did leave."""

    judged: int
    unjudged: int
    denied: tuple[PastDenial, ...]


def show_account_limits(session: Session, actor: Actor, account_id: AccountId) -> list[LimitInForce]:
    """Return what binds every deployment of an account, its own initial set aside. Raises NotFoundError."""
    account = get_visible_account(session, actor, account_id)
    return _in_force(session, _keys_of(session, account, None), {})


def show_deployment_limits(session: Session, actor: Actor, deployment_id: DeploymentId) -> list[LimitInForce]:
    """Return what binds a deployment. Raises NotFoundError."""
    deployment = get_visible_deployment(session, actor, deployment_id)
    account = get_visible_account(session, actor, deployment.account_id)
    keys = _keys_of(session, account, deployment.deployment_id)
    return _in_force(session, keys, parse_initial_limits(deployment.limits))


def list_limit_sets(session: Session, actor: Actor) -> list[LimitVersion]:
    """Return the newest set of every scope that has one, widest first. Raises ForbiddenError."""
    if not actor.is_staff:
        raise ForbiddenError(f"expected staff for the limits of everybody, got {actor.name}")
    places = list(LimitScope)
    versions = current_versions(session).values()
    return sorted(versions, key=lambda v: (places.index(v.scope), len(v.target), v.target))


def show_limit_history(session: Session, actor: Actor, key: ScopeKey) -> list[LimitVersion]:
    """Return every version of a scope's own set, newest first. Raises ForbiddenError, NotFoundError."""
    _require_reach(session, actor, key)
    return limit_history(session, key)


def set_limits(
    session: Session,
    actor: Actor,
    key: ScopeKey,
    values: Mapping[str, object],
    *,
    expected_version: int,
    reason: str,
    now: datetime,
) -> LimitVersion:
    """Set the whole set of a scope; it binds the next order. Audited in the same transaction.

    Administrators may do everything, OPS may only tighten. A trader may set what covers own things only,
    and never less strictly there than the last set that staff made.

    Args:
        session: the transaction.
        actor: who.
        key: whom the set covers.
        values: the whole new set; empty limits nothing here, the other scopes go on.
        expected_version: the version that the actor saw, 0 for none.
        reason: why.
        now: the platform's time.

    Raises:
        ForbiddenError: not this scope, or not that loosely.
        NotFoundError: no such family, user, account or deployment for this actor.
        InvalidInputError: a limit that does not exist, or a value that it may not have.
        ConflictError: somebody has set another version meanwhile.
    """
    if not reason.strip():
        raise InvalidInputError("reason: expected why the limits change, got nothing")
    _require_reach(session, actor, key)
    wanted = parse_limits(values)
    written = write_limits(wanted)
    version = add_limit_version(
        session, key, written, expected_version=expected_version, author=actor, reason=reason, now=now
    )
    # Read after the insert: nobody else can have set a version in between.
    _, *history = limit_history(session, key)
    _require_strictness(actor, history, wanted)
    record(
        session,
        actor,
        "limits.set",
        subject=":".join(key).lower().rstrip(":"),
        reason=reason,
        version=version.version,
        before=dict(history[0].values) if history else {},
        after=written,
    )
    return version


def try_limits(
    session: Session, actor: Actor, key: ScopeKey, values: Mapping[str, object], *, now: datetime
) -> Trial:
    """Return which of today's entries a set would have denied in the place of a scope's present one.

    See `app.domain.risk.simulation` for what it can and cannot see. Nothing is changed.

    Raises: as `set_limits`, except for how loose the set is.
    """
    _require_reach(session, actor, key)
    instead = {key: write_limits(parse_limits(values))}
    under = deployments_under(session, key)
    ids = {deployment.deployment_id for deployment in under}
    by_market: dict[str, tuple[Market, set[AccountId]]] = {}
    for deployment in under:
        market = market_of(deployment.broker)
        by_market.setdefault(market.code, (market, set()))[1].add(deployment.account_id)
    trials = [
        _try_in_market(session, market, accounts, instead, now=now) for market, accounts in by_market.values()
    ]
    denied = [past for trial in trials for past in trial.denied if past.intent.deployment_id in ids]
    return Trial(
        judged=sum(trial.judged for trial in trials),
        unjudged=sum(trial.unjudged for trial in trials),
        denied=tuple(sorted(denied, key=lambda past: past.at)),
    )


def _try_in_market(
    session: Session,
    market: Market,
    account_ids: set[AccountId],
    instead: Mapping[ScopeKey, Mapping[str, object]],
    *,
    now: datetime,
) -> Trial:
    day = market.day_of(now)
    contracts = load_instruments(session, day, market.venues)
    entries = load_past_entries(session, account_ids, day=day, contracts=contracts)
    fills = load_trade_fills(session, account_ids, day)
    deployments = {entry.intent.deployment_id for own in entries.values() for entry in own}
    limits = limits_of_deployments(session, deployments, instead=instead)
    if deployments - limits.keys():
        raise InvalidInputError("expected readable limits in every scope; set them again first")
    results = [simulate(own, fills.get(account, []), limits) for account, own in entries.items()]
    return Trial(
        judged=sum(result.judged for result in results),
        unjudged=sum(result.unjudged for result in results),
        denied=tuple(past for result in results for past in result.denied),
    )


def _in_force(session: Session, keys: tuple[ScopeKey, ...], initial: LimitSet) -> list[LimitInForce]:
    versions = current_versions(session, keys)
    defaults = {name: value for name, value in RiskLimits().named.items() if name not in initial}
    origins: list[tuple[str, LimitVersion | None, LimitSet]] = [
        *((scope.value, v, parse_limits(v.values)) for scope, t in keys if (v := versions.get((scope, t)))),
        (INITIAL, None, initial),
        (DEFAULT, None, defaults),
    ]
    joined = strictest([values for _, _, values in origins])
    return [
        LimitInForce(
            name=name, value=write_limits({name: values[name]})[name], origin=origin, version=version
        )
        for name in sorted(joined)
        for origin, version, values in _setters(name, joined[name], origins)
    ]


def _setters(
    name: str, joined: LimitValue, origins: list[tuple[str, LimitVersion | None, LimitSet]]
) -> list[tuple[str, LimitVersion | None, LimitSet]]:
    """Return what gives a limit: the widest scope with the strictest number, or every list."""
    naming = [origin for origin in origins if name in origin[2]]
    if not isinstance(joined, (tuple, frozenset)):
        return next([origin] for origin in naming if origin[2][name] == joined)
    return naming


def _keys_of(
    session: Session, account: BrokerAccount, deployment_id: DeploymentId | None
) -> tuple[ScopeKey, ...]:
    return covering(
        broker=account.broker,
        family_id=family_of_user(session, account.user_id),
        user_id=account.user_id,
        account_id=account.account_id,
        deployment_id=deployment_id,
    )


def _require_reach(session: Session, actor: Actor, key: ScopeKey) -> None:
    """Refuse a scope that is not the actor's, and a target that does not exist."""
    scope, target = key
    match scope:
        case LimitScope.TENANT | LimitScope.BROKER | LimitScope.FAMILY:
            if not actor.is_staff:
                raise ForbiddenError(f"expected staff for limits of scope {scope}, got {actor.name}")
            if scope is LimitScope.FAMILY and not exists_family(session, FamilyId(int(target))):
                raise NotFoundError(f"expected an existing family, got id {target}")
        case LimitScope.USER:
            user_id = UserId(int(target))
            is_own = actor.is_staff or actor.user_id == user_id
            if not is_own or not exists_user(session, user_id):
                raise NotFoundError(f"expected a user that you may limit, got id {target}")
        case LimitScope.ACCOUNT:
            get_visible_account(session, actor, AccountId(int(target)))
        case LimitScope.DEPLOYMENT:
            get_visible_deployment(session, actor, DeploymentId(int(target)))


def _require_strictness(actor: Actor, history: list[LimitVersion], wanted: LimitSet) -> None:
    if actor.role is Role.ADMIN or not history:
        return
    by_staff = next((version for version in history if version.role is not Role.TRADER), None)
    floor = history[0] if actor.role is Role.OPS else by_staff
    if floor is None:
        return
    looser = loosened(parse_limits(floor.values), wanted)
    if looser:
        raise ForbiddenError(
            f"expected limits at least as strict as version {floor.version} of {floor.actor}, "
            f"got looser {', '.join(looser)}; ask an {Role.ADMIN}"
        )
