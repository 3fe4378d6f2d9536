"""Hash passwords so that a stolen table does not give them away."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError


def hash_password(password: str) -> str:
    """Return the argon2id hash; slow on purpose (tens of milliseconds). Source: RFC 9106."""
    return PasswordHasher().hash(password)


def is_password(password: str, password_hash: str | None) -> bool:
    """Say whether a password belongs to a hash; takes as long when there is no hash."""
    try:
        PasswordHasher().verify(_decoy() if password_hash is None else password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


@cache
def _decoy() -> str:
    # Checking against it makes an unknown name answer as slowly as a wrong password.
    return hash_password("nobody has this password")
