"""Read and write the limits of every scope; a set is never changed, a newer version takes its place."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session

from app.db.models import AccountRow, DeploymentRow, LimitVersionRow, UserRow
from app.domain.accounts import BrokerCode
from app.domain.errors import ConflictError, InvalidInputError
from app.domain.ids import AccountId, DeploymentId, FamilyId, UserId
from app.domain.risk.limits import RiskLimits, parse_limits
from app.domain.risk.scopes import LimitScope, ScopeKey, covering, limits_in_force
from app.domain.users import Actor, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitVersion:
    """Show one version of a scope's limits: what, by whom, why and when (platform time)."""

    scope: LimitScope
    target: str
    version: int
    values: Mapping[str, object]
    actor: str
    role: Role
    reason: str
    ts_init: datetime

    @property
    def key(self) -> ScopeKey:
        """Whom it covers."""
        return self.scope, self.target


@dataclass(frozen=True, slots=True)
class CoveredDeployment:
    """Name a deployment with its account and broker."""

    deployment_id: DeploymentId
    account_id: AccountId
    broker: BrokerCode


def current_versions(
    session: Session, keys: Collection[ScopeKey] | None = None
) -> dict[ScopeKey, LimitVersion]:
    """Return the newest version of every scope that has one, or only of the named scopes."""
    statement: Select[LimitVersionRow] = (
        select(LimitVersionRow)
        .ext(distinct_on(LimitVersionRow.scope, LimitVersionRow.target))
        .order_by(LimitVersionRow.scope, LimitVersionRow.target, LimitVersionRow.version.desc())
    )
    if keys is not None:
        statement = statement.where(tuple_(LimitVersionRow.scope, LimitVersionRow.target).in_(sorted(keys)))
    versions = (_version(row) for row in session.scalars(statement))
    return {version.key: version for version in versions}


def current_limits(
    session: Session, keys: Collection[ScopeKey] | None = None
) -> dict[ScopeKey, Mapping[str, object]]:
    """Return the limits that each scope sets now, as stored; read them with `parse_limits`."""
    return {key: version.values for key, version in current_versions(session, keys).items()}


def limit_history(session: Session, key: ScopeKey) -> list[LimitVersion]:
    """Return every version of a scope's limits, newest first."""
    scope, target = key
    statement = select(LimitVersionRow).where(
        LimitVersionRow.scope == scope, LimitVersionRow.target == target
    )
    return [_version(row) for row in session.scalars(statement.order_by(LimitVersionRow.version.desc()))]


def add_limit_version(
    session: Session,
    key: ScopeKey,
    values: Mapping[str, Any],
    *,
    expected_version: int,
    author: Actor,
    reason: str,
    now: datetime,
) -> LimitVersion:
    """Append the next version of a scope's limits, which takes effect with the commit.

    Args:
        session: the transaction.
        key: whom the set covers.
        values: the whole new set as JSON values; what it does not name is no longer limited here.
        expected_version: the version that the author saw, 0 for none.
        author: who sets it.
        reason: why.
        now: the platform's time.

    Raises:
        ConflictError: somebody else has set a version since.
    """
    scope, target = key
    last = select(func.max(LimitVersionRow.version)).where(
        LimitVersionRow.scope == scope, LimitVersionRow.target == target
    )
    current = session.scalar(last) or 0
    statement = (
        insert(LimitVersionRow)
        .values(
            scope=scope,
            target=target,
            version=expected_version + 1,
            values=dict(values),
            actor=author.name,
            role=author.role,
            reason=reason,
            ts_init=now,
        )
        .on_conflict_do_nothing(index_elements=["scope", "target", "version"])
        .returning(LimitVersionRow)
    )
    row = session.scalars(statement).one_or_none() if current == expected_version else None
    if row is None:
        raise ConflictError(
            f"expected version {expected_version} of the limits of {scope} {target}".rstrip()
            + f" to be the newest, somebody has set version {max(current, expected_version + 1)}"
        )
    return _version(row)


def limits_of_deployments(
    session: Session,
    deployment_ids: Collection[DeploymentId],
    *,
    instead: Mapping[ScopeKey, Mapping[str, object]] | None = None,
) -> dict[DeploymentId, RiskLimits]:
    """Return the limits in force of each deployment, its own tightened by every scope that covers it.

    A deployment whose sets cannot be read is left out: it must not trade, and must not stop the others.
    `instead` puts other sets in the place of the stored ones, to try them.
    """
    statement = (
        select(DeploymentRow, AccountRow.broker, UserRow.family_id)
        .join(AccountRow, AccountRow.id == DeploymentRow.account_id)
        .join(UserRow, UserRow.id == DeploymentRow.user_id)
        .where(DeploymentRow.id.in_(deployment_ids))
    )
    rows = session.execute(statement).all()
    covers = {row.id: _covers(row, BrokerCode(broker), family_id) for row, broker, family_id in rows}
    sets = current_limits(session, {key for keys in covers.values() for key in keys}) | dict(instead or {})
    found: dict[DeploymentId, RiskLimits] = {}
    for row, *_ in rows:
        try:
            base = RiskLimits.from_mapping(row.limits)
            in_force = limits_in_force(
                base, [parse_limits(sets[key]) for key in covers[row.id] if key in sets]
            )
        except InvalidInputError:
            continue
        found[DeploymentId(row.id)] = in_force
    return found


def deployments_under(session: Session, key: ScopeKey) -> list[CoveredDeployment]:
    """Return the deployments that a scope covers, oldest first."""
    scope, target = key
    statement = (
        select(DeploymentRow.id, DeploymentRow.account_id, AccountRow.broker)
        .join(AccountRow, AccountRow.id == DeploymentRow.account_id)
        .order_by(DeploymentRow.id)
    )
    match scope:
        case LimitScope.TENANT:
            pass
        case LimitScope.BROKER:
            statement = statement.where(AccountRow.broker == target)
        case LimitScope.FAMILY:
            members = select(UserRow.id).where(UserRow.family_id == int(target))
            statement = statement.where(DeploymentRow.user_id.in_(members))
        case LimitScope.USER:
            statement = statement.where(DeploymentRow.user_id == int(target))
        case LimitScope.ACCOUNT:
            statement = statement.where(DeploymentRow.account_id == int(target))
        case LimitScope.DEPLOYMENT:
            statement = statement.where(DeploymentRow.id == int(target))
    return [
        CoveredDeployment(DeploymentId(row.id), AccountId(row.account_id), BrokerCode(row.broker))
        for row in session.execute(statement)
    ]


def _covers(row: DeploymentRow, broker: BrokerCode, family_id: int | None) -> tuple[ScopeKey, ...]:
    return covering(
        broker=broker,
        family_id=None if family_id is None else FamilyId(family_id),
        user_id=UserId(row.user_id),
        account_id=AccountId(row.account_id),
        deployment_id=DeploymentId(row.id),
    )


def _version(row: LimitVersionRow) -> LimitVersion:
    return LimitVersion(
        scope=LimitScope(row.scope),
        target=row.target,
        version=row.version,
        values=row.values,
        actor=row.actor,
        role=Role(row.role),
        reason=row.reason,
        ts_init=row.ts_init,
    )
