"""Look after the runs."""

from app.infra.names import TaskName
from app.services.supervision import dispatch_lapsed
from tasks.celery import celery_app
from tasks.container import container


@celery_app.task(name=TaskName.SUPERVISE, soft_time_limit=30, time_limit=40)
def supervise() -> None:
    """Start what lost its holder."""
    dispatch_lapsed(container().database, celery_app)
