"""Take one safeguard out of the workers of a day, to see that the suite misses it.

Imported by `sitecustomize`: nothing of the product knows of it.
"""

from collections.abc import Callable, Mapping
from typing import Any

_LOOKS_EVERY_S = 10.0


def _without_idle_limit(_worker: str) -> None:
    """Let PostgreSQL keep a frozen transaction for ever, as behind a pooler that drops options."""
    from app.db.session import Database

    init = Database.__init__

    def begin(self: Database, url: str, **options: Any) -> None:
        init(self, url, **{**options, "max_idle_s": 0})

    Database.__init__ = begin  # type: ignore[method-assign]


def _without_fencing(worker: str) -> None:
    """Let a holder that lost its lease write on; its code goes, because many modules hold its name."""
    _without_idle_limit(worker)
    from app.db.leases import check_fence

    def let_pass(session: Any, name: str, *, fence: int) -> None: ...

    check_fence.__code__ = let_pass.__code__


def _without_sweeper(worker: str) -> None:
    """Let the lanes look at their tables when somebody wakes them, and hardly ever by themselves."""
    if not worker.startswith(("worker-orders", "worker-exits")):
        return
    from app.services.lanes.wakes import Wakes

    wait = Wakes.wait
    Wakes.wait = lambda self, timeout_s: wait(self, max(timeout_s, _LOOKS_EVERY_S))  # type: ignore[method-assign]


def _without_tags(_worker: str) -> None:
    """Let nobody find an order by its tag, only by the number that the broker gave it."""
    from app.db import report_matches

    report_matches._tag = lambda report: report.tag[:0]


def _without_second_read(_worker: str) -> None:
    """Take one clean read for a proof."""
    from app.domain import reconciliation

    reconciliation.CLEAN_MISSES_NEEDED = 1  # type: ignore[misc]  # a mutant changes what is final


MUTANTS: Mapping[str, Callable[[str], None]] = {
    "idle-limit": _without_idle_limit,
    "fencing": _without_fencing,
    "sweeper": _without_sweeper,
    "tags": _without_tags,
    "second-read": _without_second_read,
}
