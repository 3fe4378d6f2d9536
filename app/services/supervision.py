"""Keep every wanted run alive: whatever lost its holder is started again."""

from datetime import timedelta

import structlog
from celery import Celery

from app.db.commands import waiting_commands
from app.db.leases import claim_lapsed
from app.db.session import Database
from app.domain.errors import UnavailableError
from app.domain.instruments import Venue
from app.domain.markets import MARKETS
from app.infra.names import RunKind, TaskName
from app.infra.queue import TaskQueue

log = structlog.get_logger()

_REDISPATCH_AFTER = timedelta(seconds=2)
_EXPIRES_S = 10.0
_COMMAND_PATIENCE_S = 3.0

_TASKS = {
    RunKind.LOOPS: TaskName.RUN_LOOPS,
    RunKind.ENTRIES: TaskName.RUN_ENTRIES,
    RunKind.EXITS: TaskName.RUN_EXITS,
    RunKind.BOOKS: TaskName.RUN_BOOKS,
    RunKind.RISK: TaskName.RUN_RISK,
}


def dispatch_lapsed(database: Database, celery_app: Celery) -> int:
    """Send a task for each wanted run without a holder; return how many. A doubled task finds it busy."""
    with database.begin() as session:
        lapsed = claim_lapsed(session, redispatch_after=_REDISPATCH_AFTER)
    queue = TaskQueue(celery_app)
    for name, kind, spec in lapsed:
        market = MARKETS[Venue(spec["venue"])]
        try:
            queue.send(_TASKS[RunKind(kind)], market=market, expires_s=_EXPIRES_S, name=name)
        except UnavailableError as e:
            log.warning("run_not_dispatched", run=name, error=str(e))
    return len(lapsed)


def dispatch_waiting_commands(database: Database, queue: TaskQueue) -> int:
    """Send the commands that wait since a few seconds; a second delivery finds them taken."""
    with database.begin() as session:
        waiting = waiting_commands(session, older_than_s=_COMMAND_PATIENCE_S)
    for command_id in waiting:
        queue.send(TaskName.RUN_COMMAND, expires_s=_EXPIRES_S, command_id=command_id)
    return len(waiting)
