"""Keep every wanted run alive: whatever lost its holder is started again."""

from datetime import timedelta

import structlog
from celery import Celery

from app.db.leases import claim_lapsed
from app.db.session import Database
from app.domain.errors import UnavailableError
from app.infra.names import RunKind, TaskName
from app.infra.queue import TaskQueue

log = structlog.get_logger()

_REDISPATCH_AFTER = timedelta(seconds=2)
_EXPIRES_S = 10.0

_TASKS = {
    RunKind.LOOPS: TaskName.RUN_LOOPS,
    RunKind.ENTRIES: TaskName.RUN_ENTRIES,
    RunKind.EXITS: TaskName.RUN_EXITS,
    RunKind.BOOKS: TaskName.RUN_BOOKS,
}


def dispatch_lapsed(database: Database, celery_app: Celery) -> int:
    """Send a task for each wanted run without a holder; return how many. A doubled task finds it busy."""
    with database.begin() as session:
        lapsed = claim_lapsed(session, redispatch_after=_REDISPATCH_AFTER)
    queue = TaskQueue(celery_app)
    for name, kind in lapsed:
        try:
            queue.send(_TASKS[RunKind(kind)], expires_s=_EXPIRES_S, name=name)
        except UnavailableError as e:
            log.warning("run_not_dispatched", run=name, error=str(e))
    return len(lapsed)
