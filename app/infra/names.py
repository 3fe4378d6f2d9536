"""Name the queues, tasks and streams once, so that no two processes can disagree."""

from enum import StrEnum

from app.domain.markets import MARKETS, Market


class QueueName(StrEnum):
    """Name the Celery queues; each kind has worker processes of its own, and some a queue per market."""

    CONTROL = "control"
    LOGIN = "login"
    LOOPS = "loops"
    ORDERS = "orders"
    EXITS = "exits"
    BOOKS = "books"
    RISK = "risk"
    INDICATORS = "indicators"


_SHARED_BY_MARKETS = frozenset({QueueName.CONTROL, QueueName.INDICATORS})


def queue_of(kind: QueueName, market: Market) -> str:
    """Return the queue of a market, for example "orders.kotak_neo" or "loops.nse"."""
    if kind in _SHARED_BY_MARKETS:
        return kind.value
    return f"{kind}.{market.venue.lower() if kind is QueueName.LOOPS else market.code}"


def queues_of(kind: QueueName) -> tuple[str, ...]:
    """Return the queues of one kind, of all markets."""
    return tuple(dict.fromkeys(queue_of(kind, market) for market in MARKETS.values()))


ALL_QUEUES = tuple(queue for kind in QueueName for queue in queues_of(kind))


class TaskName(StrEnum):
    """Name the Celery tasks."""

    RUN_PHASE = "day.run_phase"
    RUN_COMMAND = "control.run_command"
    LOGIN_BATCH = "sessions.login_batch"
    LOGIN_REPORT = "sessions.login_report"
    SUPERVISE = "control.supervise"
    RETRY_LOGINS = "control.retry_logins"
    AUDIT = "control.audit"
    TIDY = "control.tidy"
    RUN_LOOPS = "loops.run"
    RUN_ENTRIES = "orders.run"
    RUN_EXITS = "exits.run"
    RUN_BOOKS = "books.run"
    RUN_RISK = "risk.run"
    COMPUTE_INDICATORS = "indicators.compute"


class RunKind(StrEnum):
    """Name the kinds of leased runs."""

    LOOPS = "loops"
    ENTRIES = "entries"
    EXITS = "exits"
    BOOKS = "books"
    RISK = "risk"


def run_name(kind: RunKind, market: Market, shard: int = 0) -> str:
    """Return the name of a leased run, for example "entries:kotak_neo:0" or "loops:nse:0"."""
    return f"{kind}:{market.venue.lower() if kind is RunKind.LOOPS else market.code}:{shard}"


TICKS_STREAM = "ticks:{venue}"
"""One entry per exchange instant; field "r" is JSON, see app.infra.market_codec; field "g" marks a gap."""
BARS_STREAM = "bars:{venue}"
"""One entry per closed bar with its indicators: JSON field "b"."""
WAKE_STREAM = "wake:{run}"
"""Wakes a leased run, named by its lease; the entry's content is a hint, the tables are the truth."""
USER_EVENTS_STREAM = "events:{user_id}"
"""What happened to a user's trading; JSON field "e" with a growing "seq" per user."""
OPS_EVENTS_STREAM = "events:ops"
"""Phases, logins, runs, alarms, health: for ops staff."""
FEED_STATE_KEY = "feed:{venue}"
"""Hash: last_ts (exchange instant of the last published round), last_wall, status, and `pending`: how many
bars wait for their indicators (0: nothing is in flight between the feed and the loops)."""
LOOP_CURSOR_KEY = "cursor:{run}"
"""Hash: ts (exchange instant of the last round that every loop of the run has decided on and recorded),
`ticks` and `bars` (stream positions up to which it has), fence."""
WATCH_CURSOR_KEY = "watched:{run}"
"""Exchange instant of the last published round by which a risk watch has judged every scope."""
MARKS_KEY = "marks:{venue}"
"""Hash: instrument id -> JSON [last, bid, ask, ts_event, wall epoch s] of the latest tick."""
NEEDS_KEY = "needs:{venue}:{day}"
"""Set: "instrument id|minutes|indicator name" that the day's strategies want at each close of a bar."""
BEAT_STATE_KEY = "beat"
"""Hash: wall (epoch s) of the last schedule tick, host."""
WORKERS_KEY = "workers"
"""Hash: worker name -> wall (epoch s) of its last heartbeat."""
BREAKER_KEY = "breaker:{broker}:{endpoints}"
"""JSON of one circuit breaker, see app.infra.breaker_store."""
