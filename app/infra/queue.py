"""Build the Celery application that every process shares, and send tasks by name.

Settings follow measurements with this version pair (celery 5.6.3, kombu 5.6.2): early acknowledgement
everywhere, no prefetch, no ETA, explicit queues, short socket time-outs. Durability is in the
tables; a lost message is sent again by the supervisor.
"""

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from celery import Celery, Task
from kombu import Queue as KombuQueue
from kombu.exceptions import OperationalError

from app.domain.errors import UnavailableError
from app.domain.markets import NSE, Market
from app.infra.names import ALL_QUEUES, QueueName, TaskName, queue_of

_SOCKET = {
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 10,
}

TASK_QUEUES = {
    TaskName.RUN_PHASE: QueueName.CONTROL,
    TaskName.RUN_COMMAND: QueueName.CONTROL,
    TaskName.SUPERVISE: QueueName.CONTROL,
    TaskName.RETRY_LOGINS: QueueName.CONTROL,
    TaskName.AUDIT: QueueName.CONTROL,
    TaskName.TIDY: QueueName.CONTROL,
    TaskName.LOGIN_BATCH: QueueName.LOGIN,
    TaskName.LOGIN_REPORT: QueueName.CONTROL,
    TaskName.RUN_BOOKS: QueueName.BOOKS,
    TaskName.RUN_RISK: QueueName.RISK,
    TaskName.RUN_LOOPS: QueueName.LOOPS,
    TaskName.RUN_ENTRIES: QueueName.ORDERS,
    TaskName.RUN_EXITS: QueueName.EXITS,
    TaskName.COMPUTE_INDICATORS: QueueName.INDICATORS,
}


def make_celery(redis_url: str, *, task_class: "type[Task[Any, Any]] | None" = None) -> Celery:
    """Return the configured application; broker in Valkey database 1, results in 2.

    Args:
        redis_url: Valkey or Redis; a database number in it is ignored.
        task_class: base of the tasks; processes that only send need none.
    """
    parts = urlsplit(redis_url)
    base = urlunsplit(parts._replace(path=""))
    celery_app = Celery("openbell", broker=f"{base}/1", backend=f"{base}/2", task_cls=task_class or Task)
    celery_app.conf.update(
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        timezone="Asia/Kolkata",
        enable_utc=True,
        task_acks_late=False,
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=1,
        task_ignore_result=True,
        result_expires=3600,
        worker_send_task_events=True,
        task_send_sent_event=False,
        broker_transport_options={
            **_SOCKET,
            "visibility_timeout": 3600,
            "unacked_restore_interval": 10,
            "max_connections": 20,
        },
        result_backend_transport_options=_SOCKET,
        redis_socket_timeout=5,
        redis_socket_connect_timeout=3,
        redis_backend_health_check_interval=10,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_pool_limit=5,
        task_publish_retry=False,
        task_create_missing_queues=False,
        task_queues=[KombuQueue(name, routing_key=name) for name in ALL_QUEUES],
        task_default_queue=QueueName.CONTROL.value,
        task_routes={task.value: {"queue": queue_of(kind, NSE)} for task, kind in TASK_QUEUES.items()},
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    return celery_app


class TaskQueue:
    """Send tasks by name, failing fast: what must not be lost stands in a table."""

    def __init__(self, celery_app: Celery) -> None:
        self._celery = celery_app
        self._errors: tuple[type[BaseException], ...] = (
            *celery_app.connection_for_write().connection_errors,
            OperationalError,
        )

    def send(
        self,
        task: TaskName,
        *,
        market: Market = NSE,
        expires_s: float | None = None,
        **kwargs: Any,  # noqa: ANN401  JSON values
    ) -> None:
        """Enqueue one task on its market's queue; raises UnavailableError when that cannot be reached."""
        try:
            self._celery.send_task(
                task.value,
                kwargs=kwargs,
                queue=queue_of(TASK_QUEUES[task], market),
                expires=expires_s,
                retry=False,
                ignore_result=True,  # else the result store is asked first, 20 times over while it is away
            )
        except self._errors as e:
            raise UnavailableError(f"the task queue cannot be reached: {task} was not sent") from e
