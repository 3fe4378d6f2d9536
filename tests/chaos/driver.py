"""Play a plan on a running day, one fault after the other, and time how long each is felt."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.domain.errors import UnavailableError
from app.infra.clock import VirtualClock
from tests.chaos.deeds import Deeds, NothingStruckError
from tests.chaos.health import Health
from tests.chaos.plan import Fault, Kind
from tests.e2e.days import RunningDay

_PATIENCE_S = 60.0
_STEADY_S = 2.0
_POLL_S = 0.005
_UNFELT = frozenset({Kind.REPEAT_TASK, Kind.REPEAT_PHASE, Kind.BROKER, Kind.FREEZE_BROKER})
"""What no process of ours has to recover from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """Tell what became of one planned fault. `began` is the machine's time."""

    fault: Fault
    began: datetime | None = None
    ended: datetime | None = None
    recovery_s: float | None = None
    """Real seconds until every process and run worked again; None when that was not waited for."""
    missed: str = ""
    """Why it could not be played."""
    is_recovered: bool = True


def play(
    day: RunningDay, plan: Sequence[Fault], folder: Path, *, say: Callable[[str], object]
) -> list[Struck]:
    """Play the faults until the plan or the day is over; return what became of each."""
    day.wait_for("the stack", lambda: "beat" in day.processes() and day.now() is not None)
    clock = VirtualClock(day.home / "clock")
    with day.engines() as engines, Health(day, engines) as health:
        deeds = Deeds(day, engines, folder)
        return [_play(day, clock, fault, deeds, health, say) for fault in plan]


def _play(
    day: RunningDay,
    clock: VirtualClock,
    fault: Fault,
    deeds: Deeds,
    health: Health,
    say: Callable[[str], object],
) -> Struck:
    while clock.now() < fault.at and day.is_running():
        time.sleep(_POLL_S)
    if not day.is_running():
        return Struck(fault=fault, missed="the day was over")
    began, since = datetime.now(UTC), time.monotonic()
    try:
        killed = deeds.do(fault)
    except (NothingStruckError, UnavailableError) as e:
        say(f"{fault.number:3} {fault.kind} ({fault.target}): not played, {e}")
        return Struck(fault=fault, missed=str(e))
    recovery, is_recovered = None, True
    if fault.kind not in _UNFELT:
        recovery = health.recovery_s(since, steady_s=_STEADY_S, patience_s=_PATIENCE_S)
        back_s = _back_s(health, killed, began.timestamp(), since)
        is_recovered = recovery is not None and back_s is not None
        recovery = None if recovery is None or back_s is None else round(max(recovery, back_s), 2)
    ended = datetime.now(UTC)
    words = "" if recovery is None else f", {recovery} s"
    say(f"{fault.number:3} {clock.now():%H:%M:%S} {fault.kind} ({fault.target}){words}")
    return Struck(fault=fault, began=began, ended=ended, recovery_s=recovery, is_recovered=is_recovered)


def _back_s(health: Health, killed: Sequence[str], began: float, since: float) -> float | None:
    """Wait for the next life of killed processes; return how long it took, 0 when they were back already."""
    if not killed or health.are_back(killed, since=began):
        return 0.0
    while time.monotonic() - since < _PATIENCE_S:
        if health.are_back(killed, since=began):
            return time.monotonic() - since
        time.sleep(0.1)
    return None
