"""Hold the markets of a demo: session, phases, and the simulated broker behind each."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.demo.simulators.control import SimulatorControl
from app.domain.calendar_rules import TradingSession
from app.domain.phases import ScheduledPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoMarket:
    """One market of the day. `ticks` are the instants whose prices its loops must have judged, in order."""

    session: TradingSession
    phases: Sequence[ScheduledPhase]
    simulator: SimulatorControl
    ticks: Sequence[datetime] = ()

    def phases_due(self, at: datetime) -> frozenset[str]:
        """Return the phases that should have run by then, with their venue."""
        return frozenset(f"{self.session.venue}:{p.phase}" for p in self.phases if p.due_at <= at)

    def last_tick(self, at: datetime) -> datetime | None:
        """Return the last instant up to `at` whose prices the platform must have seen; None without one."""
        if not self.session.contains(at):
            return None
        index = bisect_right(self.ticks, at)
        tick = self.ticks[index - 1] if index else None
        return tick if tick is not None and tick >= self.session.open_at else None
