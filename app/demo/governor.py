"""Drive the virtual day: jump where nothing is under way, run at real speed where something is."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from app.demo.quiescence import PRICES, Blockers
from app.demo.timeline import Move, Stop, Timeline
from app.domain.ports import Clock

_POLL_S = 0.004
_LONG_WAIT_S, _LONG_POLL_S = 0.2, 0.05
"""What lasts longer is looked at less often: the looks take the processors from what they wait for."""
_GLIDE_POLL_S = 0.02
_PATIENCE_S = 20.0
# A phase at the end waits for flat positions, an unknown order for evidence; a login that hangs must not hold
# the day up.
_PATIENCE_BY_KIND_S = {"phase": 120.0, "order": 60.0, "login": 15.0}
_KEEPS_ITS_DEBT = "login"


class SettableClock(Clock, Protocol):
    """A clock that the driver alone may set."""

    def set(self, at: datetime, *, rate: float) -> None:
        """Jump to an instant and run on."""


@dataclass(slots=True, kw_only=True)
class Record:
    """Keep what the driver did, for the report."""

    steps: int = 0
    jumps: int = 0
    waited_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    gave_up: list[Mapping[str, str]] = field(default_factory=list)
    rang_at: datetime | None = None
    """Machine time at which the virtual clock passed the open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """What the governor touches: everything that has a side effect."""

    clock: SettableClock
    set_market_clock: Callable[[datetime], object]
    blockers: Callable[[datetime, Collection[str]], Blockers]
    """Asked with the virtual instant and the keys that were given up."""
    sleep: Callable[[float], None]
    watch: Callable[[datetime, Blockers], None]
    """Called often, with the virtual instant and what is under way; must be quick."""


class Governor:
    """Move the platform's clock and the market's from stop to stop. Use once."""

    def __init__(
        self,
        timeline: Timeline,
        doors: Doors,
        *,
        speed: float,
        at: Mapping[datetime, Callable[[], None]] | None = None,
    ) -> None:
        """Args: speed: virtual seconds per real second at most; at: what to do once an instant is reached."""
        self._timeline = timeline
        self._doors = doors
        self._speed = speed
        self._acts = dict(at or {})
        self._spent: defaultdict[str, float] = defaultdict(float)
        self._given_up: set[str] = set()
        self.record = Record()

    def run(self) -> Record:
        """Run the day to its end."""
        for stop in self._timeline.stops:
            match stop.move:
                case Move.GLIDE:
                    self._glide(stop.at)
                case Move.JUMP:
                    self._jump(stop)
            self.record.steps += 1
            self._do_acts()
        self._settle()
        return self.record

    def _jump(self, stop: Stop) -> None:
        started = self._doors.clock.monotonic()
        since = self._doors.clock.now()
        self._settle()
        virtual_s = (stop.at - since).total_seconds()
        real_s = self._doors.clock.monotonic() - started
        self._doors.sleep(max(0.0, virtual_s / self._speed - real_s))
        if self._doors.clock.now() >= stop.at:
            self._note_bell()
            return  # the wait itself took us there
        self._doors.clock.set(stop.at, rate=1.0)
        # The platform first: a tick that the market publishes must not come from its future.
        self._doors.set_market_clock(stop.at)
        self.record.jumps += 1
        self._note_bell()

    def _glide(self, until: datetime) -> None:
        while (now := self._doors.clock.now()) < until:
            self._note_bell()
            self._do_acts()
            self._doors.watch(now, {})
            self._doors.sleep(_GLIDE_POLL_S)

    def _settle(self) -> None:
        """Wait at real speed until nothing is under way, or what is has had its time."""
        began = seen = self._doors.clock.monotonic()
        while True:
            now = self._doors.clock.now()
            found = self._doors.blockers(now, self._given_up)
            self._doors.watch(now, found)
            self._forget_all_but(found)
            waiting = {key: what for key, what in found.items() if key not in self._given_up}
            if not waiting:
                return
            self._doors.sleep(_POLL_S if seen - began < _LONG_WAIT_S else _LONG_POLL_S)
            self._note_bell()
            elapsed = self._doors.clock.monotonic() - seen
            seen += elapsed
            self.record.waited_s[_kind(next(iter(waiting)))] += elapsed
            self._charge(waiting, elapsed, now)

    def _charge(self, waiting: Blockers, elapsed: float, now: datetime) -> None:
        for key, what in waiting.items():
            self._spent[key] += elapsed
            if self._spent[key] >= _PATIENCE_BY_KIND_S.get(_kind(key), _PATIENCE_S):
                self._given_up.add(key)
                self.record.gave_up.append({"at": now.isoformat(), "what": key, "why": what})

    def _forget_all_but(self, found: Blockers) -> None:
        """What ended gets its full patience next time; a login does not, or a bad one would cost hours.

        While prices are on their way, nobody looks at the others: they may well last.
        """
        if any(_kind(key) in PRICES and key not in self._given_up for key in found):
            return
        for key in [k for k in self._spent if k not in found and _kind(k) != _KEEPS_ITS_DEBT]:
            del self._spent[key]
            self._given_up.discard(key)

    def _note_bell(self) -> None:
        if self.record.rang_at is not None:
            return
        late_by = self._doors.clock.now() - self._timeline.session.open_at
        if late_by >= timedelta(0):
            self.record.rang_at = self._doors.clock.wall() - late_by

    def _do_acts(self) -> None:
        now = self._doors.clock.now()
        for instant in [i for i in self._acts if i <= now]:
            self._acts.pop(instant)()


def _kind(key: str) -> str:
    return key.split(" ", 1)[0]
