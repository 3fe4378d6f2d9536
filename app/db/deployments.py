"""Read and write deployments; every query names the user it is for, or says that it is for staff."""

from collections.abc import Collection, Iterable, Mapping
from typing import TypedDict, Unpack

from sqlalchemy import Select, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import DeploymentRow
from app.domain.accounts import BrokerAccount
from app.domain.deployments import Deployment, DeploymentState
from app.domain.errors import ConflictError, NotFoundError
from app.domain.ids import AccountId, DeploymentId, UserId


class DeploymentChanges(TypedDict, total=False):
    """Name the columns of a deployment that may change."""

    params: Mapping[str, object]
    limits: Mapping[str, object]
    sizing: Mapping[str, object]
    state: DeploymentState
    state_reason: str


def add_deployment(
    session: Session,
    account: BrokerAccount,
    *,
    name: str,
    strategy: str,
    params: Mapping[str, object],
    limits: Mapping[str, object],
    sizing: Mapping[str, object] | None = None,
) -> Deployment:
    """Insert a deployment on an account. Raises ConflictError when the account has one of this name."""
    statement = (
        insert(DeploymentRow)
        .values(
            user_id=account.user_id,
            account_id=account.account_id,
            name=name,
            strategy=strategy,
            params=dict(params),
            limits=dict(limits),
            sizing=dict(sizing or {}),
        )
        .on_conflict_do_nothing(index_elements=["account_id", "name"])
        .returning(DeploymentRow)
    )
    row = session.scalars(statement).one_or_none()
    if row is None:
        raise ConflictError(f"expected a new deployment name on this account, got {name!r}, which exists")
    return _deployment(row)


def get_deployment(session: Session, user_id: UserId, deployment_id: DeploymentId) -> Deployment:
    """Return a deployment of a user. Raises NotFoundError when it does not exist or is another's."""
    return _one(session, _of(user_id).where(DeploymentRow.id == deployment_id), deployment_id)


def get_deployment_for_staff(session: Session, deployment_id: DeploymentId) -> Deployment:
    """Return any deployment, for staff and for jobs. Raises NotFoundError."""
    return _one(session, select(DeploymentRow).where(DeploymentRow.id == deployment_id), deployment_id)


def find_deployment(session: Session, account: BrokerAccount, name: str) -> Deployment | None:
    """Return the deployment of this name on an account, or None."""
    statement = _of(account.user_id).where(
        DeploymentRow.account_id == account.account_id, DeploymentRow.name == name
    )
    row = session.scalars(statement).one_or_none()
    return None if row is None else _deployment(row)


def states_of_deployments(
    session: Session, deployment_ids: Collection[DeploymentId]
) -> dict[DeploymentId, DeploymentState]:
    """Return the present states of these deployments, for the gate: what a loop remembers may be old."""
    statement = select(DeploymentRow.id, DeploymentRow.state).where(DeploymentRow.id.in_(deployment_ids))
    return {DeploymentId(i): DeploymentState(state) for i, state in session.execute(statement)}


def list_deployments(session: Session, user_id: UserId) -> list[Deployment]:
    """Return the deployments of a user, oldest first."""
    return _many(session.scalars(_of(user_id).order_by(DeploymentRow.id)))


def list_deployments_for_staff(session: Session) -> list[Deployment]:
    """Return the deployments of all users, oldest first."""
    return _many(session.scalars(select(DeploymentRow).order_by(DeploymentRow.id)))


def change_deployment(
    session: Session, user_id: UserId, deployment_id: DeploymentId, **changes: Unpack[DeploymentChanges]
) -> Deployment:
    """Change columns of a user's deployment and return it. Raises NotFoundError."""
    statement = (
        update(DeploymentRow)
        .where(DeploymentRow.id == deployment_id, DeploymentRow.user_id == user_id)
        .values(**changes)
        .returning(DeploymentRow)
        .execution_options(populate_existing=True)
    )
    row = session.scalars(statement).one_or_none()
    if row is None:
        raise _not_found(deployment_id)
    return _deployment(row)


def _of(user_id: UserId) -> Select[DeploymentRow]:
    return select(DeploymentRow).where(DeploymentRow.user_id == user_id)


def _one(session: Session, statement: Select[DeploymentRow], deployment_id: DeploymentId) -> Deployment:
    row = session.scalars(statement).one_or_none()
    if row is None:
        raise _not_found(deployment_id)
    return _deployment(row)


def _not_found(deployment_id: DeploymentId) -> NotFoundError:
    return NotFoundError(f"expected an existing deployment of this user, got id {deployment_id}")


def _many(rows: Iterable[DeploymentRow]) -> list[Deployment]:
    return [_deployment(row) for row in rows]


def _deployment(row: DeploymentRow) -> Deployment:
    return Deployment(
        deployment_id=DeploymentId(row.id),
        user_id=UserId(row.user_id),
        account_id=AccountId(row.account_id),
        name=row.name,
        strategy=row.strategy,
        params=row.params,
        limits=row.limits,
        state=DeploymentState(row.state),
        state_reason=row.state_reason,
        sizing=row.sizing,
    )
