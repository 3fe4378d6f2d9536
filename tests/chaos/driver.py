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
    day: RunningDay,
    plan: Sequence[Fault],
    folder: Path,
    *,
    is_timed: bool = True,
    say: Callable[[str], object],
) -> list[Struck]:
    """Play the faults until the plan or the day is over; return what became of each.

    Args: is_timed: wait after each until the day is well again, and say how long that took. Else the next one
        may come while the last is still felt, and only killed processes are waited for.
    """
    day.wait_for("the stack", lambda: "beat" in day.processes() and day.now() is not None)
    with day.engines() as engines, Health(day, engines) as health:
        player = _Player(day, VirtualClock(day.home / "clock"), Deeds(day, engines, folder), health, is_timed)
        struck = []
        for fault in plan:
            struck.append(one := player.play(fault))
            say(_in_words(one))
        health.recovery_s(time.monotonic(), steady_s=_STEADY_S, patience_s=_PATIENCE_S)
    return struck


def _in_words(one: Struck) -> str:
    fault = one.fault
    became = f"not played, {one.missed}" if one.missed else "" if one.is_recovered else "not recovered"
    felt = "" if one.recovery_s is None else f"{one.recovery_s} s"
    at = "" if one.began is None else f" {one.began:%H:%M:%S}"
    return f"{fault.number:3}{at} {fault.name} ({fault.target}) {became}{felt}".rstrip()


@dataclass(frozen=True, slots=True)
class _Player:
    day: RunningDay
    clock: VirtualClock
    deeds: Deeds
    health: Health
    is_timed: bool

    def play(self, fault: Fault) -> Struck:
        while self.clock.now() < fault.at and self.day.is_running():
            time.sleep(_POLL_S)
        if not self.day.is_running():
            return Struck(fault=fault, missed="the day was over")
        began = datetime.now(UTC)
        try:
            killed = self.deeds.do(fault)
        except (NothingStruckError, UnavailableError) as e:
            return Struck(fault=fault, missed=str(e))
        is_recovered, recovery_s = True, None
        if fault.kind not in _UNFELT:
            felt_s = self._felt_s() if self.is_timed else 0.0
            back_s = self._back_s(killed, began.timestamp())
            is_recovered = felt_s is not None and back_s is not None
            recovery_s = None if felt_s is None or back_s is None else round(max(felt_s, back_s), 2)
        return Struck(
            fault=fault,
            began=began,
            ended=datetime.now(UTC),
            recovery_s=recovery_s if self.is_timed else None,
            is_recovered=is_recovered,
        )

    def _felt_s(self) -> float | None:
        return self.health.recovery_s(self.deeds.struck_at, steady_s=_STEADY_S, patience_s=_PATIENCE_S)

    def _back_s(self, killed: Sequence[str], began: float) -> float | None:
        """Wait for the next life of killed processes; return how long it took, 0 when they were back."""
        if not killed or self.health.are_back(killed, since=began):
            return 0.0
        while time.monotonic() - self.deeds.struck_at < _PATIENCE_S:
            if self.health.are_back(killed, since=began):
                return time.monotonic() - self.deeds.struck_at
            time.sleep(0.1)
        return None
