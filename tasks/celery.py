"""Make the Celery application of this process and tend its worker: logs, heartbeat, shutdown."""

import sys
import threading
from typing import Any

import structlog
from celery import signals
from redis.exceptions import RedisError

from app.config import load_settings
from app.domain.accounts import BrokerCode
from app.infra.logs import configure_logs
from app.infra.names import WORKERS_KEY, QueueName, queues_of
from app.infra.queue import make_celery
from app.services.standby import Standby
from strategies.indicators import load as load_indicators
from tasks.base import OpenbellTask
from tasks.container import container, engines

log = structlog.get_logger()

_HEARTBEAT_S = 2.0
_SWITCH_INTERVAL_S = 0.0005
_STANDBY_LOOKS_EVERY_S = 2.0
_BROKER_KINDS = (QueueName.LOGIN, QueueName.ORDERS, QueueName.EXITS, QueueName.BOOKS)

celery_app = make_celery(engines().redis_url, task_class=OpenbellTask)
celery_app.conf.update(
    beat_scheduler="tasks.schedule:CalendarScheduler",
    imports=("tasks.market_day", "tasks.runs", "tasks.supervision", "tasks.indicators", "tasks.commands"),
)


def is_serving(worker: Any, *kinds: QueueName) -> bool:  # noqa: ANN401  Celery's own
    """Whether a worker consumes a queue of these kinds."""
    queues = {queue for kind in kinds for queue in queues_of(kind)}
    return not queues.isdisjoint(worker.app.amqp.queues.consume_from)


@signals.setup_logging.connect
def _set_up_logs(**_: Any) -> None:  # noqa: ANN401  signal
    configure_logs(load_settings().log_level, process="celery")


@signals.worker_ready.connect
def _start_heartbeat(sender: Any, **_: Any) -> None:  # noqa: ANN401  signal
    threading.Thread(target=_beat_until_stopped, args=(sender.hostname,), daemon=True).start()


@signals.celeryd_after_setup.connect
def _switch_threads_soon(instance: Any, **_: Any) -> None:  # noqa: ANN401  signal
    """Let a lane have the interpreter back soon, however many threads read whole books beside it.

    After each answer it waits one interval for every thread that computes: with six of them a question to
    PostgreSQL took 62 ms at CPython's 5 ms, and takes 5 ms at this one; a pass asks dozens.
    """
    if is_serving(instance, *_BROKER_KINDS):
        sys.setswitchinterval(_SWITCH_INTERVAL_S)


@signals.celeryd_after_setup.connect
def _get_ready_for_brokers(instance: Any, **_: Any) -> None:  # noqa: ANN401  signal
    """Import the brokers' SDKs before the first login or order needs them: it costs seconds.

    Who may have to take over exits has the accounts' gateways as well.
    """
    if not is_serving(instance, *_BROKER_KINDS):
        return
    brokers = container().reachable_brokers
    for broker in sorted(brokers):
        container().adapter(broker)
    if is_serving(instance, QueueName.EXITS):
        threading.Thread(target=_stand_by, args=(brokers,), daemon=True).start()


@signals.worker_process_init.connect
def _leave_the_parents_connections(**_: Any) -> None:  # noqa: ANN401  signal
    """Give a forked pool process a container of its own: connections do not survive a fork.

    Only what computes is forked, so it also loads what it computes with.
    """
    container.cache_clear()
    load_indicators()


@signals.worker_shutting_down.connect
def _stop_runs(**_: Any) -> None:  # noqa: ANN401  signal
    container().stop.set()


def _stand_by(brokers: frozenset[BrokerCode]) -> None:
    parts = container()
    standby = Standby(parts.database, parts.gateways, parts.contracts, brokers=brokers, days=parts.days)
    while not parts.stop.wait(_STANDBY_LOOKS_EVERY_S):
        standby.look()


def _beat_until_stopped(name: str) -> None:
    """Say every few seconds that this worker lives, for the health strip."""
    parts = container()
    while not parts.stop.wait(_HEARTBEAT_S):
        try:
            parts.valkey.hset(WORKERS_KEY, name, str(parts.clock.wall().timestamp()))
        except RedisError as e:
            log.warning("heartbeat_failed", error=type(e).__name__)
