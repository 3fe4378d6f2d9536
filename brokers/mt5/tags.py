"""Carry our client order id in the 64-bit magic number, and a copy of it in the comment."""

import hashlib
import re

from app.domain.errors import InvalidInputError
from app.domain.ids import ClientOrderId

# "ob" and 64 bits in hexadecimal: the platform's own form, which the magic number holds whole.
_OWN = re.compile(r"ob([0-9a-f]{16})", re.ASCII)
_SHORT = re.compile(r"[A-Za-z0-9_]{1,16}", re.ASCII)
_MAGIC_BITS = 64


def magic_of(client_order_id: ClientOrderId) -> int:
    """Return the magic number of a client order id, 1 to 2**64 - 1; zero means "not ours" in MT5.

    Raises:
        InvalidInputError: the id has neither the platform's form nor at most 16 of [A-Za-z0-9_].
    """
    own = _OWN.fullmatch(client_order_id)
    if own is not None and int(own[1], 16) > 0:
        return int(own[1], 16)
    if _SHORT.fullmatch(client_order_id) is None:
        raise InvalidInputError(
            f"client_order_id: expected ob and 16 hexadecimal digits, or 1-16 of [A-Za-z0-9_], "
            f"got {client_order_id!r}"
        )
    return _hash(client_order_id)


def comment_of(client_order_id: ClientOrderId) -> str:
    """Return the comment, at most 16 characters: only a hint, because brokers rewrite it (brokers.md 3.2)."""
    return client_order_id.removeprefix("ob") if _OWN.fullmatch(client_order_id) else client_order_id


def tag_of(magic: int, comment: str) -> str:
    """Return the client order id that a magic number stands for, or "" for an order that is not ours.

    The comment is believed only where the magic number proves it.
    """
    if magic == 0:
        return ""
    # Some builds hand the number back signed.
    magic %= 1 << _MAGIC_BITS
    if _SHORT.fullmatch(comment) is not None and _hash(comment) == magic:
        return comment
    return f"ob{magic:016x}"


def _hash(text: str) -> int:
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[: _MAGIC_BITS // 8], "big") or 1
