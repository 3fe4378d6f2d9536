"""Prove who calls: passwords become short-lived signed tokens."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt
from pydantic import SecretStr

from app.domain.errors import AppError
from app.domain.ids import UserId

_ALGORITHM = "HS256"
_AUDIENCE = "openbell"
_LIFETIME = timedelta(minutes=30)
_LONGEST_SIGN_IN = timedelta(hours=12)
_FREE_FAILURES = 5
_FAILURE_WINDOW_S = 60.0
_NAMES_REMEMBERED = 1_000


class UnauthorizedError(AppError):
    """The caller did not prove who they are."""

    code = "unauthorized"
    http_status = 401


class TooManyAttemptsError(AppError):
    """Too many wrong passwords; the message says how long to wait."""

    code = "too_many_attempts"
    http_status = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a good token says. Times are the machine's."""

    user_id: UserId
    signed_in_at: datetime
    expires_at: datetime


class Tokens:
    """Issue and read tokens. Uses the machine's time: a demo day must not outrun a sign-in."""

    def __init__(self, secret: SecretStr) -> None:
        self._secret = secret.get_secret_value()

    def issue(
        self, user_id: UserId, *, role: str, wall: datetime, signed_in_at: datetime
    ) -> tuple[str, datetime]:
        """Return a token and when it ends; never later than 12 hours after the password was given."""
        expires_at = min(wall + _LIFETIME, signed_in_at + _LONGEST_SIGN_IN)
        claims = {
            "sub": str(user_id),
            "aud": _AUDIENCE,
            "role": role,
            "auth_time": int(signed_in_at.timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM), expires_at

    def read(self, token: str, *, wall: datetime) -> Identity:
        """Return what a token says.

        Raises:
            UnauthorizedError: not ours, changed, or expired.
        """
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                options={"require": ["sub", "aud", "auth_time", "exp"], "verify_exp": False},
            )
        except jwt.InvalidTokenError as e:
            raise UnauthorizedError("expected a token of this server; sign in again") from e
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        if wall >= expires_at:
            raise UnauthorizedError("the sign-in has expired; sign in again")
        return Identity(
            user_id=UserId(int(claims["sub"])),
            signed_in_at=datetime.fromtimestamp(claims["auth_time"], UTC),
            expires_at=expires_at,
        )


class LoginThrottle:
    """Slow down who guesses passwords: five failures a minute per name. Thread-safe, bounded memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def check(self, name: str, *, now_s: float) -> None:
        """Raise TooManyAttemptsError when a name has failed too often; `now_s` is monotonic."""
        with self._lock:
            recent = [at for at in self._failures.get(name, []) if now_s - at < _FAILURE_WINDOW_S]
        if len(recent) >= _FREE_FAILURES:
            wait_s = int(_FAILURE_WINDOW_S - (now_s - recent[0])) + 1
            raise TooManyAttemptsError(f"too many wrong passwords; try again in {wait_s} s")

    def failed(self, name: str, *, now_s: float) -> None:
        """Remember a failure."""
        with self._lock:
            recent = [at for at in self._failures.pop(name, []) if now_s - at < _FAILURE_WINDOW_S]
            self._failures[name] = [*recent, now_s]
            while len(self._failures) > _NAMES_REMEMBERED:
                self._failures.popitem(last=False)
