"""Read who trades and how ready they are."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from app.db.models import AccountRow, DeploymentRow, LoginRow, UserRow
from app.db.scope import DataScope
from app.db.views import AnyRow, AnySelect
from app.domain.accounts import LoginReason, LoginStatus
from app.domain.ids import DeploymentId


def read_user(session: Session, user_id: int) -> AnyRow | None:
    """Return id, name, role, trading_state and whether the user may sign in."""
    statement = select(
        UserRow.id,
        UserRow.name,
        UserRow.role,
        UserRow.trading_state,
        and_(UserRow.is_enabled, UserRow.password_hash.is_not(None)).label("can_sign_in"),
    )
    return session.execute(statement.where(UserRow.id == user_id)).one_or_none()


def read_password(session: Session, name: str) -> tuple[int, str] | None:
    """Return the id and password hash behind a sign-in name, or None when it cannot sign in."""
    statement = select(UserRow.id, UserRow.password_hash).where(UserRow.name == name, UserRow.is_enabled)
    row = session.execute(statement).one_or_none()
    return None if row is None or row.password_hash is None else (row.id, row.password_hash)


def read_accounts(session: Session, scope: DataScope) -> Sequence[AnyRow]:
    """Return all accounts in the scope, with the names of their users; never credentials."""
    statement = (
        select(
            AccountRow.id,
            AccountRow.user_id,
            UserRow.name.label("user_name"),
            AccountRow.name,
            AccountRow.broker,
            AccountRow.mode,
            AccountRow.egress,
            AccountRow.is_enabled,
            AccountRow.trading_state,
            AccountRow.state_reason,
            AccountRow.settings,
            UserRow.trading_state.label("user_trading_state"),
        )
        .join(UserRow, UserRow.id == AccountRow.user_id)
        .where(scope.allows(AccountRow.user_id))
        .order_by(AccountRow.id)
    )
    return session.execute(statement).all()


def read_logins(
    session: Session, scope: DataScope, *, day: date, since: datetime | None = None
) -> Sequence[AnyRow]:
    """Return the login matrix: every enabled account, PENDING where no login has begun."""
    statement = (
        select(
            AccountRow.id.label("account_id"),
            AccountRow.user_id,
            AccountRow.name.label("account_name"),
            UserRow.name.label("user_name"),
            AccountRow.broker,
            AccountRow.mode,
            func.coalesce(LoginRow.status, LoginStatus.PENDING).label("status"),
            func.coalesce(LoginRow.reason, LoginReason.NONE).label("reason"),
            func.coalesce(LoginRow.detail, "").label("detail"),
            func.coalesce(LoginRow.attempts, 0).label("attempts"),
            LoginRow.took_ms,
            LoginRow.started_at,
            LoginRow.finished_at,
            LoginRow.next_try_at,
        )
        .join(UserRow, UserRow.id == AccountRow.user_id)
        .outerjoin(LoginRow, and_(LoginRow.account_id == AccountRow.id, LoginRow.day == day))
        .where(scope.allows(AccountRow.user_id), AccountRow.is_enabled)
        .order_by(AccountRow.id)
    )
    if since is not None:
        statement = statement.where(LoginRow.updated_at >= since)
    return session.execute(statement).all()


def _deployments(scope: DataScope) -> AnySelect:
    return (
        select(
            DeploymentRow.id,
            DeploymentRow.user_id,
            DeploymentRow.account_id,
            AccountRow.name.label("account_name"),
            UserRow.name.label("user_name"),
            DeploymentRow.name,
            DeploymentRow.strategy,
            DeploymentRow.params,
            DeploymentRow.sizing,
            DeploymentRow.state,
            DeploymentRow.state_reason,
            DeploymentRow.armed_on,
        )
        .join(AccountRow, AccountRow.id == DeploymentRow.account_id)
        .join(UserRow, UserRow.id == DeploymentRow.user_id)
        .where(scope.allows(DeploymentRow.user_id))
        .order_by(DeploymentRow.id)
    )


def read_deployments(session: Session, scope: DataScope) -> Sequence[AnyRow]:
    """Return all deployments in the scope."""
    return session.execute(_deployments(scope)).all()


def read_deployment(session: Session, scope: DataScope, deployment_id: DeploymentId) -> AnyRow | None:
    """Return one deployment, or None when it is not in the scope."""
    return session.execute(_deployments(scope).where(DeploymentRow.id == deployment_id)).one_or_none()
