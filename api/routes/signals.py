"""Take signals from people and programs, and show what became of them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials

from api.deps import PartsDep, bearer, get_bearer, origin_of
from api.schemas.signals import NewSignal, Signal, show_signal
from app.db.scope import DataScope
from app.domain.errors import ForbiddenError, InvalidInputError, NotFoundError
from app.domain.external import Door
from app.domain.ids import DeploymentId
from app.domain.users import Actor
from app.services.api_keys import find_holder

router = APIRouter(tags=["signals"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Signaler:
    """Say who hands in: a person who signed in, or a program whose key holds for one deployment."""

    actor: Actor
    scope: DataScope
    only: DeploymentId | None

    def deployment(self, asked: int | None) -> DeploymentId:
        """Return the deployment that is meant. Raises InvalidInputError, ForbiddenError."""
        if asked is None and self.only is None:
            raise InvalidInputError("deployment_id: expected one, got none")
        if asked is not None and self.only not in (None, asked):
            raise ForbiddenError(f"expected the key's own deployment {self.only}, got {asked}")
        return self.only or DeploymentId(asked or 0)


def get_signaler(
    request: Request,
    parts: PartsDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    x_api_key: Annotated[str | None, Header(description="A key of openbell api-keys add")] = None,
) -> Signaler:
    """Return who hands in, by key or by token."""
    origin = origin_of(request)
    if x_api_key is None:
        caller = parts.caller(get_bearer(credentials), origin=origin)
        return Signaler(actor=caller.actor, scope=caller.scope, only=None)
    with parts.database.begin() as session:
        holder = find_holder(session, x_api_key, origin=origin)
    scope = DataScope(user_id=holder.actor.user_id)
    return Signaler(actor=holder.actor, scope=scope, only=holder.deployment_id)


SignalerDep = Annotated[Signaler, Depends(get_signaler)]


@router.post("/signals", status_code=202)
def hand_in_signal(parts: PartsDep, signaler: SignalerDep, asked: NewSignal) -> Signal:
    """Hand a signal in, once per key; a denial is a problem whose `code` is the gate's."""
    deployment_id = signaler.deployment(asked.deployment_id)
    answer = parts.signals.hand_in(signaler.actor, deployment_id, asked.wish(), door=Door.REST)
    answer.require_taken()
    return show_signal(answer)


@router.get("/signals/{signal_id}")
def show_handed_in(parts: PartsDep, signaler: SignalerDep, signal_id: int) -> Signal:
    """Return what was handed in, with its orders as they are now."""
    answer = parts.signals.follow(signaler.scope, signal_id)
    if signaler.only not in (None, answer.signal.deployment_id):
        raise NotFoundError(f"expected a signal of this key's deployment, there is no signal:{signal_id}")
    return show_signal(answer)
