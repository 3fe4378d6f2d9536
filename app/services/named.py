"""Find what people name by paths: USER/ACCOUNT and USER/ACCOUNT/NAME."""

from sqlalchemy.orm import Session

from app.db.accounts import find_account
from app.db.deployments import find_deployment
from app.domain.accounts import BrokerAccount, BrokerCode
from app.domain.commands import ControlScope
from app.domain.deployments import Deployment
from app.domain.errors import InvalidInputError, NotFoundError
from app.domain.users import Actor
from app.services.families import get_family_by_name
from app.services.risk_control import ControlTarget
from app.services.users import get_user_by_name


def named_account(session: Session, actor: Actor, path: str) -> BrokerAccount:
    """Return the account that USER/ACCOUNT names. Raises NotFoundError, InvalidInputError."""
    user_name, account_name = _split(path, "USER/ACCOUNT")
    user = get_user_by_name(session, actor, user_name)
    account = find_account(session, user.user_id, account_name)
    if account is None:
        raise NotFoundError(f"expected an account of {user_name}, got {account_name!r}")
    return account


def named_deployment(session: Session, actor: Actor, path: str) -> Deployment:
    """Return the deployment that USER/ACCOUNT/NAME names. Raises NotFoundError, InvalidInputError."""
    user_name, account_name, name = _split(path, "USER/ACCOUNT/NAME")
    account = named_account(session, actor, f"{user_name}/{account_name}")
    deployment = find_deployment(session, account, name)
    if deployment is None:
        raise NotFoundError(f"expected a deployment on {user_name}/{account_name}, got {name!r}")
    return deployment


def named_target(session: Session, actor: Actor, scope: ControlScope, name: str) -> ControlTarget:
    """Return whom an act concerns: a broker's code, a family's or user's name, a path; nothing for all.

    Raises:
        NotFoundError, ForbiddenError: not there, or not for the actor.
        InvalidInputError: a path of another form, or no broker of ours.
    """
    match scope:
        case ControlScope.TENANT:
            return ControlTarget(scope=scope, target=None)
        case ControlScope.BROKER:
            return ControlTarget(scope=scope, target=_broker(name))
        case ControlScope.FAMILY:
            return ControlTarget(scope=scope, target=get_family_by_name(session, actor, name).family_id)
        case ControlScope.USER:
            return ControlTarget(scope=scope, target=get_user_by_name(session, actor, name).user_id)
        case ControlScope.ACCOUNT:
            return ControlTarget(scope=scope, target=named_account(session, actor, name).account_id)
        case ControlScope.DEPLOYMENT:
            return ControlTarget(scope=scope, target=named_deployment(session, actor, name).deployment_id)


def _broker(name: str) -> BrokerCode:
    try:
        return BrokerCode(name.lower())
    except ValueError:
        known = ", ".join(BrokerCode)
        raise InvalidInputError(f"expected a broker of {known}, got {name!r}") from None


def _split(path: str, form: str) -> list[str]:
    parts = path.split("/")
    if len(parts) != form.count("/") + 1 or not all(parts):
        raise InvalidInputError(f"expected {form}, got {path!r}")
    return parts
