"""Look after the runs, and after commands that no worker has taken."""

from app.infra.names import TaskName
from app.infra.queue import TaskQueue
from app.services.supervision import dispatch_lapsed, dispatch_waiting_commands
from tasks.celery import celery_app
from tasks.container import container


@celery_app.task(name=TaskName.SUPERVISE, soft_time_limit=30, time_limit=40)
def supervise() -> None:
    """Start what lost its holder, and send again what the queue lost."""
    database = container().database
    dispatch_lapsed(database, celery_app)
    dispatch_waiting_commands(database, TaskQueue(celery_app))
