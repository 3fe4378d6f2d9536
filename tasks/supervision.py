"""Look after the runs."""

from app.infra.names import TaskName
from app.services.audit import audit_and_alarm
from app.services.supervision import dispatch_lapsed
from tasks.celery import celery_app
from tasks.container import container


@celery_app.task(name=TaskName.SUPERVISE, soft_time_limit=30, time_limit=40)
def supervise() -> None:
    """Start what lost its holder."""
    dispatch_lapsed(container().database, celery_app)


@celery_app.task(name=TaskName.AUDIT, soft_time_limit=30, time_limit=40)
def audit() -> None:
    """Check the invariants and raise alarms; the command `openbell audit` does the same by hand."""
    parts = container()
    audit_and_alarm(parts.database, parts.clock, parts.market_day.today())
