"""Name every process of the platform once, so that `up`, `demo` and the doctor agree on what runs."""

import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import httpx
from kombu.exceptions import OperationalError

from app.infra.names import QueueName
from app.infra.processes import ProcessSpec
from app.infra.queue import make_celery

_PROBE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Say what one Celery worker process serves and with how many threads or processes."""

    name: str
    queues: tuple[QueueName, ...]
    concurrency: int
    pool: str = "threads"


WORKERS = (
    Worker(
        name="worker-control",
        queues=(QueueName.CONTROL, QueueName.LOGIN, QueueName.BOOKS),
        concurrency=16,
    ),
    Worker(name="worker-loops", queues=(QueueName.LOOPS,), concurrency=12),
    Worker(name="worker-orders", queues=(QueueName.ORDERS,), concurrency=4),
    # Two processes: while one dies the other has a free thread and takes the exits at once (I5).
    Worker(name="worker-exits", queues=(QueueName.EXITS,), concurrency=2),
    Worker(name="worker-exits-2", queues=(QueueName.EXITS,), concurrency=2),
    Worker(name="worker-cpu", queues=(QueueName.INDICATORS,), concurrency=1, pool="prefork"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the processes find each other; `redis_url` holds a password, so never log it."""

    redis_url: str
    api_url: str
    flower_url: str


def stack_specs(
    addresses: Addresses,
    *,
    env: Mapping[str, str],
    flower_argv: Sequence[str],
    flower_env: Mapping[str, str],
) -> tuple[ProcessSpec, ...]:
    """Return the processes in the order in which they start; the engines and the schema stand already.

    Args:
        addresses: of the queue and of what serves HTTP.
        env: the settings of this installation as OPENBELL_ variables, for all of them.
        flower_argv: how Flower is started.
        flower_env: its secrets.
    """
    python = sys.executable
    shared = {"NEO_LOG_FILE_ENABLED": "false", "NEO_LOG_LEVEL": "WARNING", **env}
    beat = ("-m", "celery", "-A", "tasks", "beat", "--loglevel", "warning")
    workers = (_worker_spec(worker, addresses.redis_url, shared) for worker in WORKERS)
    return (
        ProcessSpec(
            name="api",
            argv=(python, "-m", "api"),
            env=shared,
            ready=lambda: answers(f"{addresses.api_url}/healthz"),
        ),
        *workers,
        ProcessSpec(name="feed", argv=(python, "-m", "tasks.feed"), env=shared),
        ProcessSpec(name="beat", argv=(python, *beat), env=shared),
        ProcessSpec(
            name="flower",
            argv=tuple(flower_argv),
            env={**shared, **flower_env},
            ready=lambda: answers(addresses.flower_url),
        ),
    )


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


def _worker_spec(worker: Worker, redis_url: str, env: Mapping[str, str]) -> ProcessSpec:
    node = f"{worker.name}@{socket.gethostname()}"
    argv = (
        *(sys.executable, "-m", "celery", "-A", "tasks", "worker"),
        *("--pool", worker.pool, "--concurrency", str(worker.concurrency)),
        *("--queues", ",".join(worker.queues), "--hostname", node),
        *("--without-gossip", "--without-mingle", "--loglevel", "warning"),
    )
    return ProcessSpec(name=worker.name, argv=argv, env=env, ready=_ping(redis_url, node))


def _ping(redis_url: str, node: str) -> Callable[[], bool]:
    """Return the question whether a worker serves its queues."""

    def is_ready() -> bool:
        with make_celery(redis_url) as celery_app:
            try:
                return bool(celery_app.control.ping(destination=[node], timeout=_PROBE_S, limit=1))
            except OperationalError:
                return False

    return is_ready
