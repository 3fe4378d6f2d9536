"""Show the limits in force with who set them, set a scope's, and try a set on today's entries."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import CallerDep, PartsDep
from api.schemas.limits import Family, LimitInForce, LimitSet, LimitTrial, LimitVersion, NewLimits, PastDenial
from app.domain.ids import AccountId, DeploymentId
from app.domain.risk.scopes import LimitScope, scope_key
from app.domain.users import Actor
from app.services.commands import Caller
from app.services.families import show_families
from app.services.limits import (
    list_limit_sets,
    set_limits,
    show_account_limits,
    show_deployment_limits,
    show_limit_history,
    try_limits,
)

router = APIRouter(tags=["limits"])


@router.get("/accounts/{account_id}/limits")
def list_account_limits(parts: PartsDep, caller: CallerDep, account_id: int) -> list[LimitInForce]:
    """Return what binds every deployment of an account, and who set it."""
    with parts.database.begin() as session:
        limits = show_account_limits(session, _actor(caller), AccountId(account_id))
    return [LimitInForce.model_validate(limit) for limit in limits]


@router.get("/deployments/{deployment_id}/limits")
def list_deployment_limits(parts: PartsDep, caller: CallerDep, deployment_id: int) -> list[LimitInForce]:
    """Return what binds a deployment, and who set it."""
    with parts.database.begin() as session:
        limits = show_deployment_limits(session, _actor(caller), DeploymentId(deployment_id))
    return [LimitInForce.model_validate(limit) for limit in limits]


@router.get("/limits")
def list_limits(parts: PartsDep, caller: CallerDep) -> list[LimitVersion]:
    """Return the newest set of every scope that has one, widest scope first; staff only."""
    with parts.database.begin() as session:
        versions = list_limit_sets(session, _actor(caller))
    return [LimitVersion.model_validate(version) for version in versions]


@router.get("/families")
def list_families(parts: PartsDep, caller: CallerDep) -> list[Family]:
    """Return the families of users, with their ids and members; staff only."""
    with parts.database.begin() as session:
        families = show_families(session, _actor(caller))
    return [Family.model_validate(family) for family in families]


@router.get("/limit-versions")
def list_limit_versions(
    parts: PartsDep,
    caller: CallerDep,
    scope: LimitScope,
    target: Annotated[str, Query(max_length=64)] = "",
) -> list[LimitVersion]:
    """Return every version of a scope's own set, newest first."""
    with parts.database.begin() as session:
        versions = show_limit_history(session, _actor(caller), scope_key(scope, target))
    return [LimitVersion.model_validate(version) for version in versions]


@router.post("/limit-versions", status_code=201)
def add_limits(parts: PartsDep, caller: CallerDep, asked: NewLimits) -> LimitVersion:
    """Set the limits of a scope; they bind the next order."""
    with parts.database.begin() as session:
        version = set_limits(
            session,
            _actor(caller),
            scope_key(asked.scope, asked.target),
            asked.values,
            expected_version=asked.expected_version,
            reason=asked.reason,
            now=parts.clock.now(),
        )
    return LimitVersion.model_validate(version)


@router.post("/limit-trials")
def try_limit_set(parts: PartsDep, caller: CallerDep, asked: LimitSet) -> LimitTrial:
    """Return which of today's entries a set would have denied; changes nothing."""
    key = scope_key(asked.scope, asked.target)
    with parts.database.begin() as session:
        trial = try_limits(session, _actor(caller), key, asked.values, now=parts.clock.now())
    return LimitTrial(
        judged=trial.judged,
        unjudged=trial.unjudged,
        denied=[
            PastDenial(
                at=past.at,
                client_order_id=past.intent.client_order_id,
                account_id=past.intent.account_id,
                deployment_id=past.intent.deployment_id,
                instrument_id=past.intent.instrument_id,
                code=past.code,
                message=past.message,
                remedy=past.code.remedy,
            )
            for past in trial.denied
        ],
    )


def _actor(caller: Caller) -> Actor:
    return Actor(name=caller.name, role=caller.role, origin=caller.origin, user_id=caller.user_id)
