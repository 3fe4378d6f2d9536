"""Describe limits: what is in force and who set it, versions of a scope, and what a set would deny."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from api.schemas.base import Asked, Reason, Shown
from app.domain.risk.rules import DenialCode
from app.domain.risk.scopes import LimitScope
from app.domain.users import Role

Written = str | list[str]
"""A number as text, a word, or symbols: instrument ids and underlyings."""
Target = Annotated[str, Field(max_length=64)]


class LimitOrigin(StrEnum):
    """Say what set a limit: a scope, the deployment when it was added, or the platform."""

    TENANT = "TENANT"
    BROKER = "BROKER"
    FAMILY = "FAMILY"
    USER = "USER"
    ACCOUNT = "ACCOUNT"
    DEPLOYMENT = "DEPLOYMENT"
    INITIAL = "INITIAL"
    DEFAULT = "DEFAULT"


class Family(Shown):
    """Show a family of users; its id is the target of limits and of the kill switch."""

    family_id: int
    name: str
    members: tuple[str, ...]


class LimitVersion(Shown):
    """Show one version of a scope's set; `target` is an id, a broker's code, or "" for the tenant."""

    scope: LimitScope
    target: str
    version: int
    values: dict[str, Written]
    actor: str
    role: Role
    reason: str
    ts_init: datetime


class LimitInForce(Shown):
    """Show one limit that binds; `version` is None where no scope has set it."""

    name: str
    value: Written
    origin: LimitOrigin
    version: LimitVersion | None


class LimitSet(Asked):
    """Name whom a set covers and the whole set; what it does not name, this scope does not limit."""

    scope: LimitScope
    target: Target = ""
    values: dict[str, Written | int]


class NewLimits(LimitSet):
    """Set a scope's limits; `expected_version` is the one that you saw, 0 for none."""

    expected_version: Annotated[int, Field(ge=0)]
    reason: Reason


class PastDenial(Shown):
    """Show an entry of today that the set would have denied."""

    at: datetime
    client_order_id: str
    account_id: int
    deployment_id: int
    instrument_id: str
    code: DenialCode
    message: str
    remedy: str


class LimitTrial(Shown):
    """Tell what a set would have denied today; `unjudged` entries lack the price that was seen."""

    judged: int
    unjudged: int
    denied: list[PastDenial]
