"""Let one single thread touch the terminal, because its module is not thread-safe and may hang for ever."""

import asyncio
import itertools
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, TypeVar

from app.domain.errors import AppError

T = TypeVar("T")
_IDLE_S = 1.0
# What a module of foreign make may raise; all else ends the thread, and the supervisor the process.
SLIPS = (
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RuntimeError,
    SystemError,
    ArithmeticError,
)


class Urgency(IntEnum):
    """Say who goes first: what closes exposure, then what opens it, then what only looks."""

    EXIT = 0
    ENTRY = 1
    READ = 2


class NotStartedError(Exception):
    """The call was taken off the queue in time: it did not happen and will not."""


class StillRunningError(Exception):
    """The call has begun and has not returned in time: nobody knows how it ends."""


@dataclass(order=True, slots=True)
class _Call(Generic[T]):
    urgency: int
    number: int
    work: Callable[[], T] = field(compare=False)
    future: "Future[T]" = field(compare=False)


class TerminalThread:
    """Run calls one after the other in a thread of its own.

    Args:
        on_idle: called about every second that nothing else runs, in the same thread: the heartbeat.
        hang_after_s: a call that takes longer is hung; from then on everything is refused, for ever.
        start_timeout_s: the same for the first beat, in which the terminal starts.
    """

    def __init__(self, *, on_idle: Callable[[], None], hang_after_s: float, start_timeout_s: float) -> None:
        self._on_idle = on_idle
        self._hang_after_s = hang_after_s
        self._limit_s = max(start_timeout_s, hang_after_s)
        self._queue: queue.PriorityQueue[_Call[object]] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._busy_since: float | None = None
        self._beat_at = time.monotonic()
        self._is_sick = False
        # A daemon, because a hung call must not keep the process from ending.
        self._thread = threading.Thread(target=self._loop, name="terminal", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def beat_age_s(self) -> float:
        """Seconds since the terminal last answered anything."""
        return time.monotonic() - self._beat_at

    @property
    def is_sick(self) -> bool:
        """Whether a call hung or the thread died; it never gets well again, the process must be replaced."""
        since = self._busy_since
        if since is not None and time.monotonic() - since > self._limit_s:
            self._is_sick = True
        return self._is_sick or not self._thread.is_alive()

    async def run(self, work: Callable[[], T], *, urgency: Urgency, timeout_s: float) -> T:
        """Return what `work` returns, or raise what it raises.

        Raises:
            NotStartedError: it was not begun in time and never will be.
            StillRunningError: it was begun and did not return in time.
        """
        if self.is_sick:
            raise NotStartedError
        future: Future[T] = Future()
        self._queue.put(_Call(urgency, next(self._numbers), work, future))  # type: ignore[arg-type]  # any T
        waiter = asyncio.wrap_future(future)
        done, _ = await asyncio.wait({waiter}, timeout=timeout_s)
        if done:
            return waiter.result()
        if future.cancel():
            raise NotStartedError
        # What it raises later is of no interest to anybody.
        waiter.add_done_callback(lambda late: late.cancelled() or late.exception())
        raise StillRunningError

    def _loop(self) -> None:
        self._guarded(self._on_idle)
        self._limit_s = self._hang_after_s
        while True:
            try:
                call = self._queue.get(timeout=_IDLE_S)
            except queue.Empty:
                self._guarded(self._on_idle)
                continue
            if call.future.set_running_or_notify_cancel():
                self._guarded(lambda call=call: _settle(call))  # type: ignore[misc]  # the loop's value, bound

    def _guarded(self, work: Callable[[], None]) -> None:
        self._busy_since = time.monotonic()
        work()
        self._busy_since = None
        self._beat_at = time.monotonic()


def _settle(call: _Call[object]) -> None:
    try:
        value = call.work()
    except (AppError, *SLIPS) as e:
        call.future.set_exception(e)
    else:
        call.future.set_result(value)
