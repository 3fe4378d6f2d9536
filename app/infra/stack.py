"""Name every process of the platform once, so that `up`, `demo` and the doctor agree on what runs."""

import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
from redis import Redis
from redis.exceptions import RedisError

from app.domain.instruments import Venue
from app.domain.markets import MARKETS
from app.domain.ports import Clock
from app.infra.names import BEAT_STATE_KEY, WORKERS_KEY, QueueName, queues_of
from app.infra.processes import ProcessGroup, ProcessSpec
from app.infra.streams import connect

_PROBE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Say what one Celery worker process serves and with how many threads or processes.

    `nice`: how far it gives way where processors are few. Nothing goes before exits, and the API, which stops
    trading, and the feed, whose prices they need. `understudy`: who takes over when this one dies.
    """

    name: str
    queues: tuple[QueueName, ...]
    concurrency: int
    pool: str = "threads"
    nice: int = 0
    understudy: str | None = None


WORKERS = (
    Worker(
        name="worker-control",
        queues=(QueueName.CONTROL, QueueName.LOGIN, QueueName.BOOKS),
        concurrency=16,
        nice=5,
    ),
    Worker(name="worker-loops", queues=(QueueName.LOOPS,), concurrency=12, nice=3),
    # The risk watches as well: here are only runs, each with a thread, so that they never wait for one.
    Worker(name="worker-orders", queues=(QueueName.ORDERS, QueueName.RISK), concurrency=9, nice=3),
    # Two processes: while one dies the other has a free thread and takes the exits at once (I5).
    Worker(name="worker-exits", queues=(QueueName.EXITS,), concurrency=4, understudy="worker-exits-2"),
    Worker(name="worker-exits-2", queues=(QueueName.EXITS,), concurrency=4, understudy="worker-exits"),
    Worker(name="worker-cpu", queues=(QueueName.INDICATORS,), concurrency=1, pool="prefork", nice=10),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the processes find each other; `redis_url` holds a password, so it is never logged."""

    redis_url: str = field(repr=False)
    api_url: str
    flower_url: str


def feed_name(venue: Venue) -> str:
    """Return the name of a venue's feed process."""
    return "feed" if venue is Venue.NSE else f"feed-{venue.lower()}"


# Who stops first: what wishes, then what sends; the exits and the API, and last the exchange they may call.
_STOP_ORDER = (
    ("beat",),
    (*map(feed_name, MARKETS), "worker-loops", "worker-cpu"),
    ("worker-orders", "worker-control"),
    ("worker-exits", "worker-exits-2", "flower", "api", "notifier"),
    ("paper",),
)
_GRACE_S = 10.0


def stack_specs(
    addresses: Addresses,
    clock: Clock,
    *,
    venues: Sequence[Venue],
    env: Mapping[str, str],
    flower_argv: Sequence[str],
    flower_env: Mapping[str, str],
) -> tuple[ProcessSpec, ...]:
    """Return the processes in the order in which they start; the engines and the schema stand already.

    Args:
        addresses: of the queue and of what serves HTTP.
        clock: for the age of heartbeats.
        venues: the markets of this installation, a feed each.
        env: the settings of this installation as OPENBELL_ variables, for all of them.
        flower_argv: how Flower is started.
        flower_env: its secrets.
    """
    python = sys.executable
    shared = {"NEO_LOG_FILE_ENABLED": "false", "NEO_LOG_LEVEL": "WARNING", **env}
    beats = _Heartbeats(connect(addresses.redis_url, pool_size=2), since=clock.wall().timestamp())
    beat = ("-m", "celery", "-A", "tasks", "beat", "--loglevel", "warning")
    return (
        ProcessSpec(
            name="api",
            argv=(python, "-m", "api"),
            env=shared,
            ready=lambda: answers(f"{addresses.api_url}/healthz"),
        ),
        *(_worker_spec(worker, beats, shared) for worker in WORKERS),
        *(
            ProcessSpec(name=feed_name(venue), argv=(python, "-m", "tasks.feed", venue.value), env=shared)
            for venue in venues
        ),
        ProcessSpec(name="beat", argv=(python, *beat), env=shared, ready=beats.of_beat),
        ProcessSpec(
            name="flower",
            argv=tuple(flower_argv),
            env={**shared, **flower_env},
            ready=lambda: answers(addresses.flower_url),
            nice=10,
        ),
    )


def notifier_specs(*, is_wanted: bool, env: Mapping[str, str]) -> tuple[ProcessSpec, ...]:
    """Return the process that talks with people in their chat, none where nobody set up a bot.

    Args: env: as for `stack_specs`.
    """
    argv = (sys.executable, "-m", "tasks.notifier")
    return (ProcessSpec(name="notifier", argv=argv, env=env),) if is_wanted else ()


def paper_spec(home: Path, *, port: int, clock_file: Path | None) -> ProcessSpec:
    """Return the process of the paper exchange; it needs nothing of the others, nor do they need it.

    Args:
        home: folder of its book and its token.
        port: of 127.0.0.1.
        clock_file: the virtual clock, None for the machine's.
    """
    argv = (sys.executable, "-m", "brokers.paper.exchange", "--home", str(home), "--port", str(port))
    clock = () if clock_file is None else ("--clock-file", str(clock_file))
    return ProcessSpec(
        name="paper", argv=(*argv, *clock), ready=lambda: answers(f"http://127.0.0.1:{port}/address")
    )


def stop_stack(group: ProcessGroup) -> None:
    """Stop the processes in good order; what is not running is passed over."""
    for names in _STOP_ORDER:
        running = {status.name for status in group.status()}
        for name in names:
            if name in running:
                group.stop(name, grace_s=_GRACE_S)
    group.stop(grace_s=_GRACE_S)


def answers(url: str) -> bool:
    """Say whether something serves HTTP there; a refusal to let us in is an answer too."""
    try:
        return httpx.get(url, timeout=_PROBE_S).status_code < httpx.codes.INTERNAL_SERVER_ERROR
    except httpx.TransportError:
        return False


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Say whether a port of 127.0.0.1 can be listened on."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


class _Heartbeats:
    """Tell which workers have said that they live since the stack was started."""

    def __init__(self, valkey: Redis, *, since: float) -> None:
        self._valkey = valkey
        self._since = since

    def of_worker(self, node: str) -> bool:
        return self._is_fresh(WORKERS_KEY, node)

    def of_beat(self) -> bool:
        return self._is_fresh(BEAT_STATE_KEY, "wall")

    def _is_fresh(self, key: str, name: str) -> bool:
        try:
            at = self._valkey.hget(key, name)
        except RedisError:
            return False
        return at is not None and float(str(at)) >= self._since


def _worker_spec(worker: Worker, beats: _Heartbeats, env: Mapping[str, str]) -> ProcessSpec:
    node = f"{worker.name}@{socket.gethostname()}"
    argv = (
        *(sys.executable, "-m", "celery", "-A", "tasks", "worker"),
        *("--pool", worker.pool, "--concurrency", str(worker.concurrency)),
        *("--queues", ",".join(q for kind in worker.queues for q in queues_of(kind)), "--hostname", node),
        *("--without-gossip", "--without-mingle", "--loglevel", "warning"),
    )
    ready = partial(beats.of_worker, node)
    return ProcessSpec(
        name=worker.name, argv=argv, env=env, ready=ready, nice=worker.nice, understudy=worker.understudy
    )
