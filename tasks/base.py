"""Give every task the same frame: context for the log, and faults that are written down once."""

from typing import Any

import structlog
from celery import Task

log = structlog.get_logger()


class OpenbellTask(Task):  # type: ignore[type-arg]  # generic in the stubs only
    """Bind the task's id to the log and record a fault that ends it."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  Celery's signature
        with structlog.contextvars.bound_contextvars(task_id=self.request.id, task=self.name):
            return super().__call__(*args, **kwargs)

    def on_failure(self, exc: Exception, task_id: str, *_rest: Any) -> None:  # noqa: ANN401  Celery's signature
        """Write the fault down; the supervisor starts what must go on."""
        log.error("task_failed", task=self.name, task_id=task_id, error=repr(exc), exc_info=exc)
