"""Keep the keys with which programs hand signals in; only their hashes are stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from app.db.models import ApiKeyRow, UserRow
from app.domain.deployments import Deployment
from app.domain.ids import DeploymentId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """Show a key without the key: whose it is, for which deployment, and how it begins."""

    id: int
    user_id: UserId
    deployment_id: DeploymentId
    name: str
    hint: str
    created_at: datetime
    revoked_at: datetime | None


def add_api_key(session: Session, deployment: Deployment, *, name: str, hint: str, key_hash: str) -> ApiKey:
    """Insert a key of a deployment's user."""
    row = ApiKeyRow(
        user_id=deployment.user_id,
        deployment_id=deployment.deployment_id,
        name=name,
        hint=hint,
        key_hash=key_hash,
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    return _shown(row)


def find_api_key(session: Session, key_hash: str) -> tuple[ApiKey, str] | None:
    """Return a key that is in force with its user's name; None when it is revoked or its user disabled."""
    statement = (
        select(ApiKeyRow, UserRow.name)
        .join(UserRow, UserRow.id == ApiKeyRow.user_id)
        .where(ApiKeyRow.key_hash == key_hash, ApiKeyRow.revoked_at.is_(None), UserRow.is_enabled)
    )
    row = session.execute(statement).one_or_none()
    return None if row is None else (_shown(row[0]), row[1])


def list_api_keys(session: Session, deployment: Deployment) -> list[ApiKey]:
    """Return the keys of a deployment, revoked ones too, oldest first."""
    return [_shown(row) for row in session.scalars(_of(deployment).order_by(ApiKeyRow.id))]


def revoke_api_keys(session: Session, deployment: Deployment, name: str) -> Sequence[str]:
    """End a deployment's keys of this name; return their hints."""
    statement = (
        update(ApiKeyRow)
        .where(
            ApiKeyRow.user_id == deployment.user_id,
            ApiKeyRow.deployment_id == deployment.deployment_id,
            ApiKeyRow.name == name,
            ApiKeyRow.revoked_at.is_(None),
        )
        .values(revoked_at=func.clock_timestamp())
        .returning(ApiKeyRow.hint)
    )
    return session.scalars(statement).all()


def _of(deployment: Deployment) -> Select[ApiKeyRow]:
    return select(ApiKeyRow).where(
        ApiKeyRow.user_id == deployment.user_id, ApiKeyRow.deployment_id == deployment.deployment_id
    )


def _shown(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        user_id=UserId(row.user_id),
        deployment_id=DeploymentId(row.deployment_id),
        name=row.name,
        hint=row.hint,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
