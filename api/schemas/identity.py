"""Describe signing in."""

from datetime import datetime

from pydantic import Field, SecretStr

from api.schemas.base import Asked, Shown
from app.domain.accounts import TradingState
from app.domain.users import Role


class SignIn(Asked):
    """Ask for a token."""

    name: str = Field(min_length=1, max_length=200)
    password: SecretStr = Field(min_length=1, max_length=1000)


class Token(Shown):
    """Carry a short-lived token; renew it before `expires_at` (machine time)."""

    token: str
    expires_at: datetime


class Me(Shown):
    """Tell who is signed in."""

    id: int
    name: str
    role: Role
    trading_state: TradingState
    is_staff: bool
