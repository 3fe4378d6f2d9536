"""Compose the parts of the API once and hand them to the routes."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.auth import LoginThrottle, Tokens, UnauthorizedError
from api.stream.hub import Hub
from app.config import Settings
from app.db.session import Database
from app.db.views.accounts import read_user
from app.domain.calendar import Calendar
from app.domain.ids import UserId
from app.domain.ports import Clock
from app.domain.users import Role
from app.infra.live_state import LiveState
from app.services.commands import Caller, TaskSender
from app.services.costs import Costs
from app.services.external_signals import ExternalSignals
from app.services.overview import Sources
from app.services.risk_control import Moment, moment_of

bearer = HTTPBearer(auto_error=False, description="A token from POST /api/v1/tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Hold what the routes need; built in create_app."""

    settings: Settings
    database: Database
    live: LiveState
    queue: TaskSender
    clock: Clock
    calendar: Calendar
    costs: Costs
    signals: ExternalSignals
    tokens: Tokens
    throttle: LoginThrottle
    hub: Hub

    def moment(self) -> Moment:
        """Return the platform's time, the machine's, and the trading date."""
        return moment_of(self.clock)

    @property
    def sources(self) -> Sources:
        """What a day is read from besides the tables."""
        return Sources(live=self.live, calendar=self.calendar, costs=self.costs)

    def caller(self, token: str, *, origin: str) -> Caller:
        """Return who a token stands for; rights come from the database, so that a change acts at once.

        Raises:
            UnauthorizedError: the token is bad, or its user may no longer sign in.
        """
        user_id = self.tokens.read(token, wall=self.clock.wall()).user_id
        with self.database.begin() as session:
            row = read_user(session, user_id)
        if row is None or not row.can_sign_in:
            raise UnauthorizedError("this user may no longer sign in")
        return Caller(user_id=UserId(row.id), name=row.name, role=Role(row.role), origin=origin)


def get_parts(request: Request) -> Parts:
    """Return the application's parts."""
    parts = request.app.state.parts
    if not isinstance(parts, Parts):
        raise TypeError(f"expected the application's parts, got {parts!r}")
    return parts


PartsDep = Annotated[Parts, Depends(get_parts)]


def get_bearer(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> str:
    """Return the token of the request; raises UnauthorizedError when there is none."""
    if credentials is None:
        raise UnauthorizedError("expected a header Authorization: Bearer <token>, got none")
    return credentials.credentials


BearerDep = Annotated[str, Depends(get_bearer)]


def get_caller(request: Request, parts: PartsDep, token: BearerDep) -> Caller:
    """Return who calls."""
    return parts.caller(token, origin=origin_of(request))


async def read_at_most(request: Request, most_bytes: int) -> bytes:
    """Return a request's body, cut one byte after the most that its reader accepts."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > most_bytes:
            break
    return body[: most_bytes + 1]


def origin_of(request: Request) -> str:
    """Return where a request comes from, for the audit log."""
    return f"api {request.client.host}" if request.client else "api"


CallerDep = Annotated[Caller, Depends(get_caller)]
