"""Read who trades and how ready they are."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from app.db.loss_locks import account_is_locked, deployment_is_locked, today_of_account
from app.db.models import AccountRow, DeploymentRow, LoginRow, UserRow
from app.db.scope import DataScope
from app.db.views import AnyRow, AnySelect
from app.domain.accounts import BrokerCode, LoginReason, LoginStatus, TradingState
from app.domain.deployments import DeploymentState
from app.domain.ids import AccountId, DeploymentId
from app.domain.markets import MARKETS

_LOCKED = "locked for the day, see the loss locks"
_CURRENCY = case(
    *((AccountRow.broker.in_(sorted(market.brokers)), market.currency) for market in MARKETS.values())
)


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


def read_accounts(session: Session, scope: DataScope, *, now: datetime) -> Sequence[AnyRow]:
    """Return all accounts in the scope, with the names of their users; never credentials.

    A loss lock of today shows as what it amounts to: an ACTIVE account is REDUCING.
    """
    is_locked = account_is_locked(today_of_account(now))
    is_reduced = and_(is_locked, AccountRow.trading_state == TradingState.ACTIVE)
    statement = (
        select(
            AccountRow.id,
            AccountRow.user_id,
            UserRow.name.label("user_name"),
            AccountRow.name,
            AccountRow.broker,
            AccountRow.mode,
            _CURRENCY.label("currency"),
            AccountRow.egress,
            AccountRow.is_enabled,
            case((is_reduced, TradingState.REDUCING), else_=AccountRow.trading_state).label("trading_state"),
            case((is_reduced, _LOCKED), else_=AccountRow.state_reason).label("state_reason"),
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


def broker_of_account(session: Session, scope: DataScope, account_id: AccountId) -> BrokerCode | None:
    """Return where an account trades, or None when it is not in the scope."""
    statement = select(AccountRow.broker).where(AccountRow.id == account_id)
    broker = session.scalar(statement.where(scope.allows(AccountRow.user_id)))
    return None if broker is None else BrokerCode(broker)


def broker_of_deployment(
    session: Session, scope: DataScope, deployment_id: DeploymentId
) -> BrokerCode | None:
    """Return where a deployment trades, or None when it is not in the scope."""
    statement = (
        select(AccountRow.broker)
        .join(DeploymentRow, DeploymentRow.account_id == AccountRow.id)
        .where(DeploymentRow.id == deployment_id, scope.allows(DeploymentRow.user_id))
    )
    broker = session.scalar(statement)
    return None if broker is None else BrokerCode(broker)


def _deployments(scope: DataScope, now: datetime) -> AnySelect:
    is_locked = deployment_is_locked(today_of_account(now))
    is_paused = and_(is_locked, DeploymentRow.state == DeploymentState.ACTIVE)
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
            case((is_paused, DeploymentState.PAUSED), else_=DeploymentRow.state).label("state"),
            case((is_paused, _LOCKED), else_=DeploymentRow.state_reason).label("state_reason"),
            DeploymentRow.armed_on,
        )
        .join(AccountRow, AccountRow.id == DeploymentRow.account_id)
        .join(UserRow, UserRow.id == DeploymentRow.user_id)
        .where(scope.allows(DeploymentRow.user_id))
        .order_by(DeploymentRow.id)
    )


def read_deployment(
    session: Session, scope: DataScope, deployment_id: DeploymentId, *, now: datetime
) -> AnyRow | None:
    """Return one deployment as `read_deployments` does, or None when it is not in the scope."""
    statement = _deployments(scope, now).where(DeploymentRow.id == deployment_id)
    return session.execute(statement).one_or_none()


def read_deployments(session: Session, scope: DataScope, *, now: datetime) -> Sequence[AnyRow]:
    """Return all deployments in the scope; one that a loss lock of its own stops today is PAUSED."""
    return session.execute(_deployments(scope, now)).all()
