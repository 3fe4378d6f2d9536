"""Look after the runs, commands that no worker has taken, the invariants and what has grown old."""

from app.infra.names import TaskName
from app.infra.queue import TaskQueue
from app.services.audit import audit_and_alarm
from app.services.retention import forget_old_points
from app.services.supervision import dispatch_lapsed, dispatch_waiting_commands
from tasks.celery import celery_app
from tasks.container import container


@celery_app.task(name=TaskName.SUPERVISE, soft_time_limit=30, time_limit=40)
def supervise() -> None:
    """Start what lost its holder, send again what the queue lost, tell of brokers that fail."""
    parts = container()
    database = parts.database
    parts.breakers.align_alarms(database)
    dispatch_lapsed(database, celery_app)
    dispatch_waiting_commands(database, TaskQueue(celery_app))


@celery_app.task(name=TaskName.AUDIT, soft_time_limit=50, time_limit=60)
def audit() -> None:
    """Check the invariants of the running day and raise an alarm for each that does not hold."""
    parts = container()
    days = parts.days()
    books = parts.book_auditor.look(days)
    audit_and_alarm(parts.database, parts.clock, days, beside=books.breaches)


@celery_app.task(name=TaskName.TIDY, soft_time_limit=300, time_limit=330)
def tidy() -> None:
    """Delete what is kept for a while only."""
    parts = container()
    for day, markets in parts.days().items():
        for market in markets:
            forget_old_points(parts.database, market, today=day, kept_days=parts.settings.equity_kept_days)
