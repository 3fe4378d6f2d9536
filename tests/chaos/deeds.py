"""Do to a running day what a plan says. Each deed returns once it is over; what it broke may take longer."""

import resource
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
from redis import Redis

from app.domain.instruments import Venue
from app.domain.markets import NSE
from app.infra.engines.engines import Engines, engine_pids
from app.infra.names import RunKind, TaskName, run_name
from app.infra.queue import TaskQueue, make_celery
from app.services.supervision import _TASKS as RUN_TASKS
from tests.chaos.plan import BROKER_RULES, Fault, Kind
from tests.e2e.days import DAY, RunningDay
from tests.freezing import frozen, send

_HOP_PATIENCE_S = 15.0
_BACKENDS = """SELECT pid FROM pg_stat_activity
  WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"""
_END_BACKENDS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"""


class NothingStruckError(Exception):
    """The fault could not be played: nobody passed the hop, or the process was just being replaced."""


class Deeds:
    """Carry out faults on one day. `folder` is where its workers look for armed hops."""

    def __init__(self, day: RunningDay, engines: Engines, folder: Path) -> None:
        self._day = day
        self._engines = engines
        self._folder = folder
        self.struck_at = time.monotonic()
        """When the last deed was felt first."""
        self._queue = TaskQueue(make_celery(engines.redis_url))
        self._deeds: dict[Kind, Callable[[Fault], Sequence[str]]] = {
            Kind.KILL: self._kill,
            Kind.KILL_TWO: self._kill,
            Kind.POWER_CUT: self._cut_power,
            Kind.PAUSE: self._pause,
            Kind.LONG_PAUSE: self._pause,
            Kind.FREEZE_BROKER: self._pause,
            Kind.DIE_AT_HOP: self._at_hop,
            Kind.SLEEP_AT_HOP: self._at_hop,
            Kind.KILL_VALKEY: self._kill_engine,
            Kind.KILL_POSTGRES: self._kill_engine,
            Kind.FREEZE_VALKEY: self._freeze_engine,
            Kind.FREEZE_POSTGRES: self._freeze_engine,
            Kind.DROP_VALKEY: self._drop_valkey,
            Kind.DROP_POSTGRES: self._drop_postgres,
            Kind.DELAY_VALKEY: self._delay_valkey,
            Kind.DELAY_POSTGRES: self._delay_postgres,
            Kind.REPEAT_TASK: self._repeat_task,
            Kind.REPEAT_PHASE: self._repeat_phase,
            Kind.FULL_DISK: self._fill_disk,
            Kind.SKEWED_CLOCK: self._skew_clock,
            Kind.BROKER: self._spoil_broker,
        }

    def do(self, fault: Fault) -> Sequence[str]:
        """Play a fault; return the processes that were killed.

        Raises: NothingStruckError.
        """
        self.struck_at = time.monotonic()
        return self._deeds[fault.kind](fault)

    def _pid(self, name: str) -> int:
        status = self._day.processes().get(name)
        if status is None or status.pid is None:
            raise NothingStruckError(f"{name} was not running")
        return status.pid

    def _kill(self, fault: Fault) -> Sequence[str]:
        names = fault.target.split("+")
        pids = [self._pid(name) for name in names]
        send(pids, signal.SIGKILL)
        return names

    def _cut_power(self, _fault: Fault) -> Sequence[str]:
        """Every process and both engines at once, but not the brokers: their books are the evidence."""
        running = self._day.processes().items()
        victims = {name: s.pid for name, s in running if s.pid is not None and "simulator" not in name}
        engines = [pid for pid in engine_pids(self._day.home).values() if pid is not None]
        send([*engines, *victims.values()], signal.SIGKILL)
        return list(victims)

    def _pause(self, fault: Fault) -> Sequence[str]:
        with frozen([self._pid(fault.target)]):
            time.sleep(fault.seconds)
        return ()

    def _at_hop(self, fault: Fault) -> Sequence[str]:
        hop = fault.hop
        assert hop is not None
        how = signal.SIGSTOP if fault.kind is Kind.SLEEP_AT_HOP else signal.SIGKILL
        names = {status.pid: name for name, status in self._day.processes().items()}
        armed = self._folder / f"hop.{hop.worker}.{hop.where}"
        ready = armed.with_suffix(".new")
        ready.write_text(f"{hop.function} {how.name}")
        ready.rename(armed)
        deadline = time.monotonic() + _HOP_PATIENCE_S
        while not (struck := list(self._folder.glob(f"{armed.name}.[0-9]*"))):
            if time.monotonic() > deadline:
                armed.unlink(missing_ok=True)
                raise NothingStruckError("nobody passed it")
            time.sleep(0.01)
        self.struck_at = time.monotonic()
        pid = int(struck[0].suffix.removeprefix("."))
        struck[0].unlink()
        if how is signal.SIGSTOP:
            time.sleep(fault.seconds)
            send([pid], signal.SIGCONT)
            return ()
        return [names[pid]] if pid in names else ()

    def _engine(self, fault: Fault) -> int:
        name = "valkey" if fault.kind in {Kind.KILL_VALKEY, Kind.FREEZE_VALKEY} else "postgres"
        pid = engine_pids(self._day.home)[name]
        if pid is None:
            raise NothingStruckError(f"{name} was not running")
        return pid

    def _kill_engine(self, fault: Fault) -> Sequence[str]:
        send([self._engine(fault)], signal.SIGKILL)
        return ()

    def _freeze_engine(self, fault: Fault) -> Sequence[str]:
        pid = self._engine(fault)
        with frozen([pid, *_children(pid)]):
            time.sleep(fault.seconds)
        return ()

    def _drop_valkey(self, _fault: Fault) -> Sequence[str]:
        with Redis.from_url(self._engines.redis_url) as valkey:
            valkey.client_kill_filter(_type="normal", skipme=True)
            valkey.client_kill_filter(_type="pubsub", skipme=True)
        return ()

    def _delay_valkey(self, fault: Fault) -> Sequence[str]:
        with Redis.from_url(self._engines.redis_url) as valkey:
            valkey.client_pause(round(fault.seconds * 1000), all=True)
        time.sleep(fault.seconds)
        return ()

    def _drop_postgres(self, _fault: Fault) -> Sequence[str]:
        with psycopg.connect(self._engines.database_url, autocommit=True) as connection:
            connection.execute(_END_BACKENDS)
        return ()

    def _delay_postgres(self, fault: Fault) -> Sequence[str]:
        with psycopg.connect(self._engines.database_url, autocommit=True) as connection:
            pids = [pid for (pid,) in connection.execute(_BACKENDS)]
        with frozen(sorted(pids)[::2]):
            time.sleep(fault.seconds)
        return ()

    def _repeat_task(self, fault: Fault) -> Sequence[str]:
        for _ in range(2):
            if fault.target in set(RunKind):
                kind = RunKind(fault.target)
                self._queue.send(RUN_TASKS[kind], market=NSE, name=run_name(kind, NSE))
            else:
                self._queue.send(TaskName(fault.target))
        return ()

    def _repeat_phase(self, fault: Fault) -> Sequence[str]:
        for _ in range(3):
            self._queue.send(
                TaskName.RUN_PHASE, day=DAY.isoformat(), phase=fault.target, venue=Venue.NSE.value
            )
        return ()

    def _fill_disk(self, fault: Fault) -> Sequence[str]:
        """Let a process write nothing more to any file, as on a full disk; sockets are no files."""
        pid = self._pid(fault.target)
        try:
            soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
            time.sleep(fault.seconds)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
        except ProcessLookupError:
            return ()  # it died of it, and the next one has its disk
        return ()

    def _skew_clock(self, fault: Fault) -> Sequence[str]:
        worker, offset = fault.target.split()
        file = self._folder / f"skew.{worker}"
        file.write_text(offset)
        time.sleep(fault.seconds)
        file.unlink()
        return ()

    def _spoil_broker(self, fault: Fault) -> Sequence[str]:
        before = self._struck_by(fault)
        self._day.simulator("/_sim/faults", {"faults": [dict(BROKER_RULES[fault.rule])]}, name=fault.target)
        time.sleep(fault.seconds)
        self._day.simulator("/_sim/faults", {"faults": []}, name=fault.target)
        if self._struck_by(fault) == before:
            raise NothingStruckError("no call or message met it")
        return ()

    def _struck_by(self, fault: Fault) -> int:
        counts = self._day.simulator("/_sim/faults", name=fault.target)["by_kind"]
        return int(counts.get(fault.rule, 0))


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
