"""Switch the simulators' faults on and off, one at a time, and count how often each was seen."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from app.demo.fault_schedule import FaultWindow
from app.demo.simulators.control import SimulatorControl
from app.domain.instruments import Venue

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Seen:
    """Hold how often each kind struck during a window, by venue."""

    window: FaultWindow
    injected: dict[Venue, Counter[str]] = field(default_factory=dict)


class FaultDesk:
    """Carry out a plan of faults. One thread at a time."""

    def __init__(self, windows: Sequence[FaultWindow], simulators: Mapping[Venue, SimulatorControl]) -> None:
        self._simulators = simulators
        self._before: dict[Venue, Counter[str]] = {}
        self.seen = [Seen(window=window) for window in windows]

    def acts(self) -> dict[datetime, Callable[[], None]]:
        """Return what to do at which instant; where one fault ends, the next may begin."""
        found: dict[datetime, list[Callable[[], None]]] = {}
        for seen in self.seen:
            found.setdefault(seen.window.begins, []).append(partial(self._begin, seen))
            found.setdefault(seen.window.ends, []).insert(0, partial(self._end, seen))
        return {at: partial(_do_all, steps) for at, steps in found.items()}

    def _begin(self, seen: Seen) -> None:
        case = seen.window.case
        log.info("fault_begins", fault=case.number, what=case.what)
        self._before = {venue: self._counts(venue) for venue in self._simulators}
        for venue, simulator in self._simulators.items():
            rules = list(case.rules.get(venue, ()))
            if rules:
                simulator.post("/_sim/faults", {"faults": rules})
            for path, body in case.acts.get(venue, ()):
                self._act(seen, venue, path, body)

    def _act(self, seen: Seen, venue: Venue, path: str, body: Mapping[str, Any]) -> None:
        self._simulators[venue].post(path, body)
        seen.injected.setdefault(venue, Counter())[path.rpartition("/")[2]] += 1

    def _end(self, seen: Seen) -> None:
        for venue, simulator in self._simulators.items():
            for path, body in seen.window.case.repairs.get(venue, ()):
                simulator.post(path, body)
            simulator.post("/_sim/faults", {"faults": []})
            struck = self._counts(venue) - self._before[venue]
            if struck:
                seen.injected.setdefault(venue, Counter()).update(struck)
        log.info("fault_ended", fault=seen.window.case.number)

    def _counts(self, venue: Venue) -> Counter[str]:
        return Counter(self._simulators[venue].faults()["by_kind"])


def _do_all(steps: Sequence[Callable[[], None]]) -> None:
    for step in steps:
        step()
