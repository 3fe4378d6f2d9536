"""Show accounts, logins, deployments and their profit; retry, pause, resume and square off."""

from collections import defaultdict
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from api.deps import CallerDep, PartsDep
from api.routes.commands import accepted
from api.schemas.accounts import (
    Account,
    ChangeSettings,
    ChangeSizing,
    Deployment,
    Drift,
    Login,
    PnlLine,
)
from api.schemas.day import Command, PnlInfo, Why
from api.valuation import read_valued_legs
from app.db.views.accounts import read_accounts, read_deployment, read_deployments, read_logins
from app.domain.deployments import DeploymentState
from app.domain.ids import AccountId, DeploymentId
from app.services.account_settings import change_settings
from app.services.commands import order_deployment_state, order_login, order_square_off
from app.services.deployments import set_sizing
from app.services.pnl import LegPnl, PnlSum, add_up
from app.services.sizing_drift import read_drift

router = APIRouter()
PnlBy = Literal["account", "user", "deployment"]
Day = Annotated[date | None, Query(description="Trading date; today when not given.")]


@router.get("/accounts", tags=["accounts"])
def list_accounts(parts: PartsDep, caller: CallerDep) -> list[Account]:
    """Return the accounts that the caller may see."""
    with parts.database.begin() as session:
        rows = read_accounts(session, caller.scope, now=parts.clock.now())
    return [Account.model_validate(row) for row in rows]


@router.get("/logins", tags=["accounts"])
def list_logins(parts: PartsDep, caller: CallerDep, day: Day = None) -> list[Login]:
    """Return the login matrix: every enabled account with its status, reason and what was tried."""
    with parts.database.begin() as session:
        rows = read_logins(session, caller.scope, day=day or parts.moment().day)
    return [Login.model_validate(row) for row in rows]


@router.post("/logins/{account_id}/retry", status_code=202, tags=["accounts"])
def retry_login(parts: PartsDep, caller: CallerDep, account_id: int, asked: Why) -> Command:
    """Ask for another login of one account now."""
    with parts.database.begin() as session:
        command_id = order_login(
            session, caller, AccountId(account_id), reason=asked.reason, moment=parts.moment()
        )
    return accepted(parts, caller, command_id, is_for_workers=True)


@router.get("/pnl", tags=["accounts"])
def list_pnl(parts: PartsDep, caller: CallerDep, by: PnlBy = "account", day: Day = None) -> list[PnlLine]:
    """Return profit and loss per account, user or deployment and currency, before and after charges."""
    groups: dict[tuple[str, str], list[LegPnl]] = defaultdict(list)
    of = day or parts.moment().day
    for leg, value in read_valued_legs(parts.database, parts.sources, caller.scope, day=of):
        groups[f"{by}:{getattr(leg, f'{by}_id')}", getattr(leg, f"{by}_name")].append(value)
    return [_line(key, name, pnl) for (key, name), values in sorted(groups.items()) for pnl in add_up(values)]


@router.get("/deployments", tags=["deployments"])
def list_deployments(parts: PartsDep, caller: CallerDep) -> list[Deployment]:
    """Return the deployments that the caller may see."""
    with parts.database.begin() as session:
        rows = read_deployments(session, caller.scope, now=parts.clock.now())
    return [Deployment.model_validate(row) for row in rows]


@router.post("/deployments/{deployment_id}/pause", status_code=202, tags=["deployments"])
def pause_deployment(parts: PartsDep, caller: CallerDep, deployment_id: int, asked: Why) -> Command:
    """Ask a strategy for no more signals; its exits stay live."""
    with parts.database.begin() as session:
        command_id = order_deployment_state(
            session,
            caller,
            DeploymentId(deployment_id),
            state=DeploymentState.PAUSED,
            reason=asked.reason,
            moment=parts.moment(),
        )
    return accepted(parts, caller, command_id)


@router.post("/deployments/{deployment_id}/resume", status_code=202, tags=["deployments"])
def resume_deployment(parts: PartsDep, caller: CallerDep, deployment_id: int, asked: Why) -> Command:
    """Let a paused or halted strategy go on."""
    with parts.database.begin() as session:
        command_id = order_deployment_state(
            session,
            caller,
            DeploymentId(deployment_id),
            state=DeploymentState.ACTIVE,
            reason=asked.reason,
            moment=parts.moment(),
        )
    return accepted(parts, caller, command_id)


@router.post("/deployments/{deployment_id}/square-off", status_code=202, tags=["deployments"])
def square_off(parts: PartsDep, caller: CallerDep, deployment_id: int, asked: Why) -> Command:
    """Close what a deployment holds, cancel its unsent entries, and pause it."""
    with parts.database.begin() as session:
        command_id = order_square_off(
            session, caller, DeploymentId(deployment_id), reason=asked.reason, moment=parts.moment()
        )
    return accepted(parts, caller, command_id)


@router.put("/deployments/{deployment_id}/sizing", tags=["deployments"])
def change_sizing(parts: PartsDep, caller: CallerDep, deployment_id: int, asked: ChangeSizing) -> Deployment:
    """Size a deployment's entries by another model, from the next entry on."""
    with parts.database.begin() as session:
        set_sizing(
            session, caller.actor, DeploymentId(deployment_id), dict(asked.sizing), reason=asked.reason
        )
        row = read_deployment(session, caller.scope, DeploymentId(deployment_id), now=parts.clock.now())
        return Deployment.model_validate(row)


@router.get("/deployments/drift", tags=["deployments"])
def list_drift(parts: PartsDep, caller: CallerDep, day: Day = None) -> list[Drift]:
    """Return what every account wished and got of each signal of a day, the widest apart first."""
    with parts.database.begin() as session:
        lines = read_drift(session, caller.scope, day=day or parts.moment().day)
    return [Drift.model_validate(line) for line in lines]


@router.put("/accounts/{account_id}/settings", tags=["accounts"])
def put_settings(
    parts: PartsDep, caller: CallerDep, account_id: int, asked: ChangeSettings
) -> dict[str, str | int]:
    """Change what an account has and pays, from the next entry on; return all its settings."""
    with parts.database.begin() as session:
        settings = change_settings(
            session, caller.actor, AccountId(account_id), asked.settings, reason=asked.reason
        )
    return {name: value for name, value in settings.items() if isinstance(value, str | int)}


def _line(key: str, name: str, pnl: PnlSum) -> PnlLine:
    return PnlLine(key=key, name=name, **PnlInfo.model_validate(pnl).model_dump())
