"""Drive the day: a Beat scheduler that asks the exchange's calendar and the platform's clock.

It keeps no file: what ran stands in `phase_runs`, so a Beat that starts late sends what is due and
still makes sense, and a second Beat stands by behind a lock.
"""

import os
import socket
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from celery.beat import Scheduler
from redis.exceptions import RedisError
from sqlalchemy.exc import OperationalError

from app.domain.errors import UnavailableError
from app.infra.names import BEAT_STATE_KEY, TaskName
from app.infra.queue import TaskQueue
from tasks.container import Container, container

log = structlog.get_logger()

_TICK_S = 0.25
_LEADER_KEY = "beat:leader"
_LEADER_MS = 5_000
_REPEAT_PHASE_S = 3.0

# Real seconds between two sendings; each expires before the next, so that an outage leaves no heap.
_JOBS: Mapping[TaskName, float] = {
    TaskName.SUPERVISE: 0.5,
    TaskName.RETRY_LOGINS: 2.0,
    TaskName.AUDIT: 60.0,
    TaskName.TIDY: 3600.0,
}


class CalendarScheduler(Scheduler):
    """Send phases when they are due and housekeeping jobs all the time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  Celery's signature
        self._parts: Container = container()
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._sent_at: dict[str, float] = {}
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Need nothing: the calendar is the schedule."""

    def tick(self, *_args: Any, **_kwargs: Any) -> float:  # noqa: ANN401  Celery's signature
        """Send what is due; return the seconds until the next look."""
        try:
            if self._is_leader():
                self._send_phase()
                self._send_jobs()
        except (RedisError, OperationalError, UnavailableError) as e:
            # Late rather than never: the next tick finds the same things due.
            log.warning("beat_tick_failed", error=type(e).__name__)
        return _TICK_S

    def _is_leader(self) -> bool:
        valkey = self._parts.valkey
        if not valkey.set(_LEADER_KEY, self._name, nx=True, px=_LEADER_MS):
            if valkey.get(_LEADER_KEY) != self._name:
                return False
            valkey.pexpire(_LEADER_KEY, _LEADER_MS)
        wall: datetime = self._parts.clock.wall()
        valkey.hset(BEAT_STATE_KEY, mapping={"wall": str(wall.timestamp()), "host": self._name})
        return True

    def _send_phase(self) -> None:
        for venue, market_day in self._parts.market_days.items():
            due = market_day.next_due()
            if due is None:
                continue
            day, planned = due
            if self._is_time(f"{venue}:{day}:{planned.phase}", _REPEAT_PHASE_S):
                self._send(
                    TaskName.RUN_PHASE, day=day.isoformat(), phase=planned.phase.value, venue=venue.value
                )

    def _send_jobs(self) -> None:
        for task, period_s in _JOBS.items():
            if self._is_time(task, period_s):
                self._send(task, expires_s=max(period_s, 2.0))

    def _is_time(self, key: str, period_s: float) -> bool:
        now = self._parts.clock.monotonic()
        if now - self._sent_at.get(key, float("-inf")) < period_s:
            return False
        self._sent_at[key] = now
        return True

    def _send(self, task: TaskName, *, expires_s: float | None = None, **kwargs: Any) -> None:  # noqa: ANN401  JSON values
        TaskQueue(self.app).send(task, expires_s=expires_s, **kwargs)
