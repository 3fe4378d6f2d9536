"""Show what loss limits closed and locked, and the course of profit and loss."""

from datetime import date, datetime

from fastapi import APIRouter
from sqlalchemy.orm import Session

from api.deps import CallerDep, PartsDep
from api.routes.accounts import Day
from api.schemas.losses import EquityPoint, LossLock
from app.db.loss_locks import read_loss_locks
from app.db.risk_book import read_curve
from app.db.views.accounts import broker_of_account, broker_of_deployment
from app.domain.accounts import BrokerCode
from app.domain.errors import NotFoundError
from app.domain.ids import AccountId, DeploymentId
from app.domain.markets import market_of
from app.domain.risk.scopes import LimitScope, ScopeKey
from app.services.loss_locks import days_of, name_of

router = APIRouter(tags=["risk"])


@router.get("/loss-locks")
def list_loss_locks(parts: PartsDep, caller: CallerDep, day: Day = None) -> list[LossLock]:
    """Return the scopes that a loss limit or a combined rule closed and locked on a day, newest first.

    Without a day, on each market's own trading date: a lock is shown for as long as it holds.
    """
    days = days_of(parts.clock.now(), day)
    with parts.database.begin() as session:
        rows = read_loss_locks(session, caller.scope, days=days)
    return [LossLock.model_validate(row) for row in rows]


@router.get("/accounts/{account_id}/equity")
def list_account_equity(
    parts: PartsDep, caller: CallerDep, account_id: int, day: Day = None
) -> list[EquityPoint]:
    """Return an account's profit and loss, minute by minute where it changed, with its charges."""
    with parts.database.begin() as session:
        broker = broker_of_account(session, caller.scope, AccountId(account_id))
        key = (LimitScope.ACCOUNT, str(account_id))
        return _curve(session, key, broker, day=day, now=parts.clock.now())


@router.get("/deployments/{deployment_id}/equity")
def list_deployment_equity(
    parts: PartsDep, caller: CallerDep, deployment_id: int, day: Day = None
) -> list[EquityPoint]:
    """Return a deployment's profit and loss, minute by minute where it changed, with its charges."""
    with parts.database.begin() as session:
        broker = broker_of_deployment(session, caller.scope, DeploymentId(deployment_id))
        key = (LimitScope.DEPLOYMENT, str(deployment_id))
        return _curve(session, key, broker, day=day, now=parts.clock.now())


def _curve(
    session: Session, key: ScopeKey, broker: BrokerCode | None, *, day: date | None, now: datetime
) -> list[EquityPoint]:
    if broker is None:
        raise NotFoundError(f"expected an account or deployment of yours, there is no {name_of(key)}")
    market = market_of(broker)
    points = read_curve(session, market, day or market.day_of(now), key)
    return [EquityPoint.model_validate(point) for point in points]
