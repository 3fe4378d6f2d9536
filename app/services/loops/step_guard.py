"""Interrupt a strategy that does not come back, so that one user cannot hold up the others (I8)."""

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Self, TypeVar

import structlog

from app.domain.deployments import Deployment
from app.domain.ports import Clock

log = structlog.get_logger()

T = TypeVar("T")

EXIT_CODE_STUCK = 70
_GRACE_S = 5.0


class StepTimedOut(BaseException):
    """A step overran its budget. No `Exception`, so that a strategy's own handlers do not catch it."""


class StepGuard:
    """Run steps one at a time; a watchdog thread, alive inside the `with` block, interrupts what overruns.

    Python code is interrupted by an exception raised inside it. Code that sits in C and does not return
    within the grace cannot be: then `on_stuck` is told and the process ends, and its supervisor starts
    it anew without that strategy.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        budget_s: float,
        on_stuck: Callable[[Deployment], None],
        grace_s: float = _GRACE_S,
        exit_process: Callable[[int], object] = os._exit,
    ) -> None:
        self._clock = clock
        self._budget_s = budget_s
        self._grace_s = grace_s
        self._on_stuck = on_stuck
        self._exit_process = exit_process
        self._thread_id = 0
        self._lock = threading.Lock()
        self._owner: Deployment | None = None
        self._started = 0.0
        self._has_fired = False
        self._stop = threading.Event()
        self._watchdog = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._watchdog.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._watchdog.join()

    def run(self, owner: Deployment, step: Callable[[], T]) -> T:
        """Return what the step returns; raises StepTimedOut when it overran its budget."""
        with self._lock:
            self._thread_id = threading.get_ident()
            self._owner, self._started, self._has_fired = owner, self._clock.monotonic(), False
        # The exception fires at most once per step, but it may be delivered anywhere until `_end` has
        # finished once: inside the step, between the lines here, or inside the first `_end`.
        try:
            try:
                result = step()
            finally:
                is_late = self._end()
        except StepTimedOut:
            self._end()
            raise
        if is_late:
            raise StepTimedOut
        return result

    def _end(self) -> bool:
        with self._lock:
            self._owner = None
            if self._has_fired:
                _set_async_exception(self._thread_id, None)  # take back what was not delivered yet
            return self._has_fired

    def _watch(self) -> None:
        while not self._stop.wait(self._budget_s / 4):
            with self._lock:
                owner, age_s = self._owner, self._clock.monotonic() - self._started
                if owner is None or age_s < self._budget_s:
                    continue
                if not self._has_fired:
                    self._has_fired = True
                    _set_async_exception(self._thread_id, StepTimedOut)
                    continue
                is_stuck = age_s >= self._budget_s + self._grace_s
            if is_stuck:
                self._give_up(owner)
                return

    def _give_up(self, owner: Deployment) -> None:
        log.error("strategy_stuck", deployment_id=owner.deployment_id, strategy=owner.strategy)
        try:
            self._on_stuck(owner)
        finally:
            self._exit_process(EXIT_CODE_STUCK)


def _set_async_exception(thread_id: int, kind: type[BaseException] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread_id), None if kind is None else ctypes.py_object(kind)
    )
