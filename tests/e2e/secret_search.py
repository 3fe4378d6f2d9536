"""Search everything that a day leaves behind for secrets, also in the forms that code likes to give them."""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from redis import Redis
from sqlalchemy import text
from sqlalchemy.orm import Session

_SHORTEST = 8
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_QUEUE_DATABASES = range(3)


def forms(secret: str) -> Iterator[bytes]:
    """Return what betrays a secret: itself, quoted for an address, as hexadecimal, inside of base64."""
    raw = secret.encode()
    yield raw
    yield quote(secret, safe="").encode()
    yield raw.hex().encode()
    for shift in range(3):
        # Inside of a longer text it begins at any of three places; what its neighbors share is left out.
        whole = b64encode(bytes(shift) + raw)
        inner = whole[(0, 2, 3)[shift] : len(whole) // 4 * 4 - (4 if (shift + len(raw)) % 3 else 0)]
        if len(inner) >= _SHORTEST:
            yield inner
            yield inner.translate(_URL_SAFE)


class SecretSearch:
    """Find any of many secrets in one pass over a text; numbers only where they are not a part of others."""

    def __init__(self, secrets: Iterable[str]) -> None:
        patterns = {_pattern(form) for secret in secrets for form in forms(secret)}
        self._pattern = re.compile(b"|".join(patterns))

    def finds(self, content: bytes) -> bool:
        """Say whether a text holds a secret."""
        return self._pattern.search(content) is not None

    def in_logs(self, home: Path) -> list[str]:
        """Return the log files below a folder that hold a secret."""
        return [str(f.relative_to(home)) for f in sorted(home.rglob("*.log")) if self.finds(f.read_bytes())]

    def in_tables(self, session: Session) -> list[str]:
        """Return the tables of which a row, written as text, holds a secret."""
        names = (
            session.execute(
                text(
                    "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables "
                    "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
                )
            )
            .scalars()
            .all()
        )
        assert names, "there are tables"
        return [name for name in names if any(map(self.finds, _rows(session, name)))]

    def in_valkey(self, url: str) -> list[str]:
        """Return the keys, with their database, whose name or value holds a secret."""
        found = []
        for number in _QUEUE_DATABASES:
            with Redis.from_url(re.sub(r"/\d*$", f"/{number}", url)) as valkey:
                found += [
                    f"{number}:{key!r}" for key in valkey.scan_iter() if self.finds(_value(valkey, key))
                ]
        return found


def _pattern(form: bytes) -> bytes:
    escaped = re.escape(form)
    return rb"(?<![\d.])" + escaped + rb"(?!\d)" if form.isdigit() else escaped


def _rows(session: Session, table: str) -> Iterator[bytes]:
    rows = session.execute(text(f"SELECT whole::text FROM {table} whole"))  # noqa: S608  quoted above
    yield from (row.encode() for row in rows.scalars())


def _value(valkey: Any, key: bytes) -> bytes:  # redis-py types keys as text only
    readers: dict[bytes, Callable[[], object]] = {
        b"string": lambda: valkey.get(key),
        b"hash": lambda: valkey.hgetall(key),
        b"list": lambda: valkey.lrange(key, 0, -1),
        b"set": lambda: valkey.smembers(key),
        b"zset": lambda: valkey.zrange(key, 0, -1),
        b"stream": lambda: valkey.xrange(key),
    }
    return key + repr(readers[valkey.type(key)]()).encode()
