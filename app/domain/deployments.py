"""Describe deployments: a strategy running for a user on an account."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.domain.ids import AccountId, DeploymentId, UserId


class DeploymentState(StrEnum):
    """Say whether a deployment is asked for signals. Exits work in every state."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    HALTED = "HALTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Identify a deployment. `params` are the strategy's own, checked by the registry.

    `sizing` names how its entries are sized; empty: as the strategy wishes.
    """

    deployment_id: DeploymentId
    user_id: UserId
    account_id: AccountId
    name: str
    strategy: str
    params: Mapping[str, object]
    limits: Mapping[str, object]
    state: DeploymentState
    state_reason: str
    sizing: Mapping[str, object] = field(default_factory=dict)
