"""Examine the database and Valkey: reachable, the right version, durable, and in time with us."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import redis
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import ArgumentError, DBAPIError

from app.config import Settings
from app.db.session import Database
from app.domain.errors import AppError
from app.domain.ports import Clock
from app.infra.engines.engines import engine_pids, ensure_engines
from app.infra.migrations import alembic_config
from app.services.doctor.findings import Finding, error, fine, warning
from app.services.doctor.machine import examine_skew

_OLDEST_POSTGRESQL = 150_000
_OLDEST_VALKEY = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Hold where to ask; None where an embedded engine is not running."""

    database_url: str | None
    redis_url: str | None


def find_addresses(settings: Settings) -> tuple[Addresses, list[Finding]]:
    """Return the configured addresses, or those of running embedded engines; starts nothing."""
    database_url = None if settings.database_url is None else settings.database_url.get_secret_value()
    redis_url = None if settings.redis_url is None else settings.redis_url.get_secret_value()
    findings: list[Finding] = []
    if database_url is None or redis_url is None:
        pids = engine_pids(settings.home)
        given = {"postgres": database_url, "valkey": redis_url}
        missing = [name for name, pid in pids.items() if pid is None and given[name] is None]
        findings = [
            warning(name, f"the embedded {name} is not running", "start everything: openbell up")
            for name in missing
        ]
        if not missing:
            try:
                engines = ensure_engines(settings.home, redis_url, database_url)
            except AppError as e:
                return Addresses(database_url=database_url, redis_url=redis_url), [
                    error("engines", str(e), "see the logs under OPENBELL_HOME")
                ]
            database_url, redis_url = engines.database_url, engines.redis_url
    return Addresses(database_url=database_url, redis_url=redis_url), findings


def open_database(url: str) -> tuple[Database | None, Finding]:
    """Return the database when it answers, and what was found."""
    remedy = "start PostgreSQL, or correct OPENBELL_DATABASE_URL; unset it to use the embedded one"
    try:
        database = Database(url, pool_size=1)
        with database.begin() as session:
            number = int(session.scalar(text("SHOW server_version_num")) or 0)
            version = str(session.scalar(text("SHOW server_version")))
    except (ArgumentError, DBAPIError, ValueError) as e:
        # The driver's own words may repeat the password; only the place is said.
        return None, error(
            "database", f"PostgreSQL at {_place(url)} does not answer ({type(e).__name__})", remedy
        )
    if number < _OLDEST_POSTGRESQL:
        return database, error("database", f"expected PostgreSQL 15 or newer, found {version}", "update it")
    return database, fine("database", f"PostgreSQL {version} at {_place(url)}")


def examine_schema(database: Database) -> Finding:
    """Compare the tables' revision with the newest migration."""
    heads = set(ScriptDirectory.from_config(alembic_config()).get_heads())
    with database.begin() as session:
        if session.scalar(text("SELECT to_regclass('alembic_version')")) is None:
            return error("schema", "the database has no tables yet", "run: openbell migrate")
        found = set(session.scalars(text("SELECT version_num FROM alembic_version")))
    if found != heads:
        return error(
            "schema", f"the tables are at {_words(found)}, expected {_words(heads)}", "run: openbell migrate"
        )
    return fine("schema", f"the tables are at the newest revision, {_words(heads)}")


def examine_database_clock(database: Database, clock: Clock) -> Finding:
    """Compare the database server's clock with ours."""
    with database.begin() as session:
        before = clock.wall()
        theirs = session.scalar(text("SELECT clock_timestamp()"))
        after = clock.wall()
    return examine_skew("the database server", _skew(theirs, before, after))


def examine_valkey(url: str, clock: Clock) -> Iterator[Finding]:
    """Look whether Valkey answers, keeps what it is told, and forgets nothing under pressure."""
    code = "valkey"
    try:
        with redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3) as client:
            info = client.info()
            before = clock.wall()
            seconds, micros = client.time()
            after = clock.wall()
    except (redis.RedisError, ValueError) as e:
        yield error(
            code,
            f"Valkey at {_place(url)} does not answer ({type(e).__name__})",
            "start Valkey or Redis, or correct OPENBELL_REDIS_URL; unset it to use the embedded one",
        )
        return
    version = str(info.get("valkey_version") or info["redis_version"])
    if int(version.split(".", maxsplit=1)[0]) < _OLDEST_VALKEY:
        yield error(code, f"expected Valkey or Redis 7 or newer, found {version}", "update it")
    else:
        yield fine(code, f"version {version} at {_place(url)}")
    yield from _durability(info)
    theirs = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros)
    yield examine_skew("the Valkey server", _skew(theirs, before, after))


def _durability(info: dict[str, object]) -> Iterator[Finding]:
    if not info.get("aof_enabled"):
        yield error("valkey_aof", "Valkey keeps nothing across a crash (AOF is off)", "set: appendonly yes")
    policy = info.get("maxmemory_policy")
    if policy != "noeviction":
        yield error(
            "valkey_eviction",
            f"Valkey may drop queued work when memory is short (maxmemory-policy {policy})",
            "set: maxmemory-policy noeviction",
        )


def _skew(theirs: datetime, before: datetime, after: datetime) -> timedelta:
    # Inside the round trip nothing can be told: an answer between `before` and `after` is no skew.
    if theirs < before:
        return theirs - before
    return theirs - after if theirs > after else timedelta(0)


def _place(url: str) -> str:
    parts = urlsplit(url)
    try:
        return f"{parts.hostname or '?'}:{parts.port or 'default port'}{parts.path}"
    except ValueError:
        return f"{parts.hostname or '?'} (the port is no number)"


def _words(revisions: set[str]) -> str:
    return ", ".join(sorted(revisions)) or "none"
