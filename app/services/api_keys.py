"""Issue, check and revoke the keys of programs: each hands in signals for one deployment, no more."""

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.db.api_keys import ApiKey, add_api_key, find_api_key, list_api_keys, revoke_api_keys
from app.domain.deployments import Deployment
from app.domain.entry_checks import check_name
from app.domain.errors import AppError, InvalidInputError, NotFoundError
from app.domain.external import EXTERNAL
from app.domain.ids import DeploymentId
from app.domain.users import Actor, Role, require_control, require_view
from app.services.acts import record

_PREFIX = "obk_"
_HINT_LENGTH = 10
_LONGEST = 256


class BadApiKeyError(AppError):
    """The key is unknown or revoked, or its user disabled."""

    code = "bad_api_key"
    http_status = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder:
    """Say who a key stands for, and the one deployment that it hands signals in for."""

    actor: Actor
    deployment_id: DeploymentId


def issue_api_key(session: Session, actor: Actor, deployment: Deployment, *, name: str) -> str:
    """Return a new key, which is shown this once and stored as a hash.

    Raises:
        ForbiddenError, InvalidInputError: not the actor's, no deployment for signals, or a bad name.
    """
    require_control(actor, deployment.user_id)
    check_name("a key", name)
    if deployment.strategy != EXTERNAL:
        raise InvalidInputError(
            f"{deployment.name}: expected a deployment of the strategy {EXTERNAL}, got {deployment.strategy}"
        )
    text = _PREFIX + secrets.token_urlsafe(32)
    key = add_api_key(session, deployment, name=name, hint=text[:_HINT_LENGTH], key_hash=_hash(text))
    subject = f"deployment {deployment.deployment_id}"
    record(session, actor, "api_key.issued", subject=subject, name=name, hint=key.hint)
    return text


def find_holder(session: Session, text: str, *, origin: str) -> KeyHolder:
    """Return who a key stands for, always with a trader's rights.

    Raises:
        BadApiKeyError: there is no such key in force.
    """
    found = None if len(text) > _LONGEST else find_api_key(session, _hash(text))
    if found is None:
        raise BadApiKeyError("expected a key of this server that is in force: openbell api-keys add")
    key, user_name = found
    actor = Actor(name=user_name, role=Role.TRADER, origin=f"{origin} key {key.name}", user_id=key.user_id)
    return KeyHolder(actor=actor, deployment_id=key.deployment_id)


def list_keys(session: Session, actor: Actor, deployment: Deployment) -> list[ApiKey]:
    """Return the keys of a deployment. Raises ForbiddenError."""
    require_view(actor, deployment.user_id)
    return list_api_keys(session, deployment)


def revoke_keys(session: Session, actor: Actor, deployment: Deployment, *, name: str, reason: str) -> int:
    """End the keys of this name at once; return how many. Staff may end everybody's.

    Raises: ForbiddenError; NotFoundError when none is in force.
    """
    require_view(actor, deployment.user_id)
    hints = revoke_api_keys(session, deployment, name)
    if not hints:
        raise NotFoundError(f"expected a key in force of {deployment.name}, got {name!r}")
    subject = f"deployment {deployment.deployment_id}"
    record(session, actor, "api_key.revoked", subject=subject, reason=reason, name=name, hints=list(hints))
    return len(hints)


def _hash(text: str) -> str:
    # 256 random bits need no slow hash; a stolen table gives no key away.
    return hashlib.sha256(text.encode()).hexdigest()
