"""Sign in, stay signed in, and say who is signed in."""

from fastapi import APIRouter, Request

from api.auth import UnauthorizedError
from api.deps import BearerDep, CallerDep, Parts, PartsDep, origin_of
from api.schemas.identity import Me, SignIn, Token
from app.db.audit import record_act
from app.db.views.accounts import read_password, read_user
from app.domain.errors import NotFoundError
from app.domain.ids import UserId
from app.infra.passwords import is_password

router = APIRouter(tags=["identity"])


@router.post("/tokens", status_code=201)
def sign_in(request: Request, parts: PartsDep, asked: SignIn) -> Token:
    """Exchange a name and password for a token."""
    parts.throttle.check(asked.name, now_s=parts.clock.monotonic())
    with parts.database.begin() as session:
        found = read_password(session, asked.name)
    is_good = is_password(asked.password.get_secret_value(), None if found is None else found[1])
    _record_sign_in(parts, asked.name, origin=origin_of(request), is_good=is_good)
    if found is None or not is_good:
        parts.throttle.failed(asked.name, now_s=parts.clock.monotonic())
        raise UnauthorizedError("the name or the password is wrong")
    return _issue(parts, UserId(found[0]))


@router.post("/tokens/renewals", status_code=201)
def renew_token(parts: PartsDep, caller: CallerDep, token: BearerDep) -> Token:
    """Exchange a token that is still good for a fresh one, up to 12 hours after the password was given."""
    wall = parts.clock.wall()
    signed_in_at = parts.tokens.read(token, wall=wall).signed_in_at
    fresh, expires_at = parts.tokens.issue(
        caller.user_id, role=caller.role, wall=wall, signed_in_at=signed_in_at
    )
    return Token(token=fresh, expires_at=expires_at)


@router.get("/me")
def show_me(parts: PartsDep, caller: CallerDep) -> Me:
    """Return who is signed in."""
    with parts.database.begin() as session:
        row = read_user(session, caller.user_id)
    if row is None:
        raise NotFoundError("this user is no longer there")
    return Me(
        id=row.id,
        name=row.name,
        role=row.role,
        trading_state=row.trading_state,
        is_staff=caller.is_staff,
    )


def _issue(parts: Parts, user_id: UserId) -> Token:
    wall = parts.clock.wall()
    with parts.database.begin() as session:
        row = read_user(session, user_id)
    role = "" if row is None else row.role
    token, expires_at = parts.tokens.issue(user_id, role=role, wall=wall, signed_in_at=wall)
    return Token(token=token, expires_at=expires_at)


def _record_sign_in(parts: Parts, name: str, *, origin: str, is_good: bool) -> None:
    with parts.database.begin() as session:
        record_act(
            session,
            actor=name,
            origin=origin,
            action="sign_in" if is_good else "sign_in_refused",
            subject=f"user:{name}",
            reason="password",
            details={},
        )
