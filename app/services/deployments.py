"""Put strategies on accounts, pause and resume them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from app.db.deployments import (
    add_deployment,
    change_deployment,
    get_deployment,
    get_deployment_for_staff,
    list_deployments_for_staff,
)
from app.db.deployments import list_deployments as list_deployments_of_user
from app.domain.accounts import BrokerAccount
from app.domain.deployments import Deployment, DeploymentState
from app.domain.entry_checks import check_name
from app.domain.ids import DeploymentId
from app.domain.position_sizing import Sizing
from app.domain.risk.combined import CombinedRules
from app.domain.risk.limits import RiskLimits
from app.domain.risk.scopes import LimitScope, scope_key
from app.domain.users import Actor, require_control, require_view
from app.services.acts import record
from app.services.loss_locks import unlock


class StrategyBook(Protocol):
    """Know the strategies of this installation; the registry of `strategies` is one."""

    def names(self) -> tuple[str, ...]:
        """Return the known names."""

    def validate(self, name: str, params: Mapping[str, object]) -> Mapping[str, object]:
        """Return all parameters with defaults, as JSON values. Raises InvalidInputError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeployment:
    """Say what shall run on an account, as a person wrote it."""

    name: str
    strategy: str
    params: Mapping[str, object]
    limits: Mapping[str, object]
    sizing: Mapping[str, object] = field(default_factory=dict)


def check_deployment(wish: NewDeployment, book: StrategyBook) -> Mapping[str, object]:
    """Return the strategy's full parameters. Raises InvalidInputError naming what does not fit."""
    check_name("a deployment", wish.name)
    RiskLimits.from_mapping(wish.limits)
    CombinedRules.from_mapping(wish.limits)
    Sizing.from_mapping(wish.sizing)
    return book.validate(wish.strategy, wish.params)


def create_deployment(
    session: Session, actor: Actor, account: BrokerAccount, wish: NewDeployment, *, book: StrategyBook
) -> Deployment:
    """Put a strategy on an account.

    Raises: ForbiddenError; InvalidInputError for an unknown strategy, parameter, limit or sizing;
        ConflictError for a taken name.
    """
    require_control(actor, account.user_id)
    params = check_deployment(wish, book)
    deployment = add_deployment(
        session,
        account,
        name=wish.name,
        strategy=wish.strategy,
        params=params,
        limits=wish.limits,
        sizing=wish.sizing,
    )
    record(
        session,
        actor,
        "deployment.added",
        subject=_subject(deployment),
        name=wish.name,
        strategy=wish.strategy,
        params=params,
        limits=wish.limits,
        sizing=wish.sizing,
    )
    return deployment


def set_sizing(
    session: Session,
    actor: Actor,
    deployment_id: DeploymentId,
    sizing: Mapping[str, object],
    *,
    reason: str,
) -> Deployment:
    """Size a deployment's entries by another model from the next one on; empty: as the strategy wishes.

    Raises: NotFoundError, ForbiddenError; InvalidInputError for what is no model.
    """
    deployment = get_visible_deployment(session, actor, deployment_id)
    require_control(actor, deployment.user_id)
    Sizing.from_mapping(sizing)
    changed = change_deployment(session, deployment.user_id, deployment_id, sizing=dict(sizing))
    record(
        session,
        actor,
        "deployment.sizing_set",
        subject=_subject(deployment),
        reason=reason,
        before=dict(deployment.sizing),
        after=dict(sizing),
    )
    return changed


def list_deployments(session: Session, actor: Actor) -> list[Deployment]:
    """Return all deployments to staff, and to everybody else their own."""
    if actor.is_staff:
        return list_deployments_for_staff(session)
    return [] if actor.user_id is None else list_deployments_of_user(session, actor.user_id)


def get_visible_deployment(session: Session, actor: Actor, deployment_id: DeploymentId) -> Deployment:
    """Return a deployment that the actor may see. Raises NotFoundError."""
    if actor.is_staff or actor.user_id is None:
        return get_deployment_for_staff(session, deployment_id)
    return get_deployment(session, actor.user_id, deployment_id)


def pause_deployment(
    session: Session, actor: Actor, deployment_id: DeploymentId, *, reason: str
) -> Deployment:
    """Ask a strategy for no more signals; its exits stay alive. Staff may pause everybody's."""
    deployment = get_visible_deployment(session, actor, deployment_id)
    require_view(actor, deployment.user_id)
    return _set_state(session, actor, deployment, state=DeploymentState.PAUSED, reason=reason)


def resume_deployment(
    session: Session, actor: Actor, deployment_id: DeploymentId, *, reason: str, now: datetime
) -> Deployment:
    """Ask a paused or halted strategy for signals again, and end its loss lock.

    Raises: NotFoundError; ForbiddenError; ConflictError for a lock that cannot be ended yet, see `unlock`.
    """
    deployment = get_visible_deployment(session, actor, deployment_id)
    require_control(actor, deployment.user_id)
    key = scope_key(LimitScope.DEPLOYMENT, str(deployment_id))
    unlock(session, key, by=actor.name, origin=actor.origin, reason=reason, now=now)
    return _set_state(session, actor, deployment, state=DeploymentState.ACTIVE, reason=reason)


def _set_state(
    session: Session, actor: Actor, deployment: Deployment, *, state: DeploymentState, reason: str
) -> Deployment:
    changed = change_deployment(
        session, deployment.user_id, deployment.deployment_id, state=state, state_reason=reason
    )
    record(
        session,
        actor,
        "deployment.state_set",
        subject=_subject(deployment),
        reason=reason,
        before=deployment.state,
        after=state,
    )
    return changed


def _subject(deployment: Deployment) -> str:
    return f"deployment {deployment.deployment_id}"
