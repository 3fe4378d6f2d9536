"""Tokens are short-lived, and a sign-in does not last for ever."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from api.auth import Tokens, UnauthorizedError
from app.domain.ids import UserId

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
TOKENS = Tokens(SecretStr("a secret that is long enough for HMAC"))


def _issue(wall: datetime, signed_in_at: datetime = NOW) -> str:
    return TOKENS.issue(UserId(7), role="OPS", wall=wall, signed_in_at=signed_in_at)[0]


def test_a_token_tells_whose_it_is_until_it_expires() -> None:
    token = _issue(NOW)

    assert TOKENS.read(token, wall=NOW + timedelta(minutes=29)).user_id == 7
    with pytest.raises(UnauthorizedError, match="expired"):
        TOKENS.read(token, wall=NOW + timedelta(minutes=30))


def test_renewing_ends_twelve_hours_after_the_password() -> None:
    late = NOW + timedelta(hours=11, minutes=50)

    token = _issue(late, signed_in_at=NOW)

    assert TOKENS.read(token, wall=late).expires_at == NOW + timedelta(hours=12)


def test_refuses_a_token_of_another_secret() -> None:
    other = Tokens(SecretStr("another secret that is long enough"))

    with pytest.raises(UnauthorizedError):
        other.read(_issue(NOW), wall=NOW)
