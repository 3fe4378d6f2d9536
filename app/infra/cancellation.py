"""End asyncio tasks for sure."""

import asyncio
from collections.abc import Collection
from typing import Any

_AGAIN_AFTER_S = 0.25


async def end_tasks(tasks: "Collection[asyncio.Task[Any]]") -> None:
    """Cancel until every task has ended, even when the caller is cancelled meanwhile, again and again.

    In Python 3.11 `asyncio.wait_for`, also inside redis-py and websockets, may swallow a cancellation that
    meets its result. One cancellation, as a TaskGroup or `gather` gives it, would then wait for ever. How
    the tasks ended stays theirs to tell; the caller's own cancellation is passed on at the end.
    """
    pending = {task for task in tasks if not task.done()}
    interruption: asyncio.CancelledError | None = None
    while pending:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=_AGAIN_AFTER_S)
        except asyncio.CancelledError as e:
            interruption = e
        pending = {task for task in pending if not task.done()}
    if interruption is not None:
        raise interruption
