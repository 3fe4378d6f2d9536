"""Plan a day's faults from a seed: when, what, on whom. Pure: the same seed is the same plan."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import combinations
from typing import Any, TypeVar

from app.demo.fault_cases import IN_SESSION
from app.domain.calendar_rules import TradingSession
from app.domain.instruments import Venue
from app.domain.phases import Phase
from app.infra.names import RunKind, TaskName
from app.infra.stack import WORKERS, feed_name
from app.services.execution import Execution
from app.services.lanes.books import BooksRun
from app.services.lanes.entries import EntryLane
from app.services.lanes.exits import ExitLane
from app.services.trading import Trading

T = TypeVar("T")

_TICK = timedelta(seconds=30)
_BEFORE_OPEN = timedelta(minutes=29)
_BEFORE_CLOSE = timedelta(minutes=6)
# From the bell to the last entry of a short session: faults that come late find the square-off.
_SHORT = timedelta(minutes=8)


class Kind(StrEnum):
    """Name what can be done to a running day."""

    KILL = "kill -9 of a process"
    KILL_TWO = "kill -9 of two processes at once"
    POWER_CUT = "kill -9 of every process and both engines at once"
    PAUSE = "SIGSTOP of a process, shorter than a lease"
    LONG_PAUSE = "SIGSTOP of a process, longer than a lease"
    DIE_AT_HOP = "kill -9 at a hop of an order"
    SLEEP_AT_HOP = "SIGSTOP at a hop of an order, longer than a lease"
    KILL_VALKEY = "kill -9 of Valkey"
    KILL_POSTGRES = "kill -9 of PostgreSQL"
    FREEZE_VALKEY = "Valkey hangs"
    FREEZE_POSTGRES = "PostgreSQL hangs"
    DROP_VALKEY = "all connections to Valkey are cut"
    DROP_POSTGRES = "all connections to PostgreSQL are cut"
    DELAY_VALKEY = "Valkey answers late"
    DELAY_POSTGRES = "half of the connections to PostgreSQL stand still"
    FREEZE_BROKER = "a broker hangs"
    REPEAT_TASK = "a task is delivered again"
    REPEAT_PHASE = "a phase is fired again, three times"
    FULL_DISK = "a process cannot write to its files"
    SKEWED_CLOCK = "a worker's clock is off"
    BROKER = "a fault of the broker's own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """Name a place on an order's way: a worker, a side of a commit or call, and the function around it."""

    worker: str
    where: str
    function: str

    def __str__(self) -> str:
        return f"{self.worker}: {self.where} in {self.function}"


def _sides(worker: str, what: str, *functions: Callable[..., object]) -> Iterator[Hop]:
    for function in functions:
        for side in ("before", "after"):
            yield Hop(worker=worker, where=f"{side}_{what}", function=function.__qualname__)


HOPS: Sequence[Hop] = (
    *_sides("worker-loops", "commit", Trading.record),
    *_sides("worker-orders", "commit", EntryLane._claim, Execution.apply_submit_outcomes),
    *_sides("worker-orders", "call", EntryLane._send),
    *_sides("worker-exits", "commit", ExitLane._take_steps, Execution.apply_news),
    *_sides("worker-exits", "commit", Execution.apply_submit_outcomes, Execution.apply_change_outcomes),
    *_sides("worker-exits", "call", ExitLane._make),
    *_sides("worker-control", "commit", BooksRun._sync),
    *_sides("worker-control", "call", BooksRun._sync),
)
"""Both sides of each commit and call between a wish and its end; a renamed function fails here, loudly."""


def hops_at(where: str, function: Callable[..., object]) -> tuple[Hop, ...]:
    """Return the hops on one side of what a function does."""
    return tuple(hop for hop in HOPS if hop.where == where and hop.function == function.__qualname__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing to do when the day's clock passes `at`; `seconds` are real ones."""

    number: int
    at: datetime
    kind: Kind
    target: str
    seconds: float = 0.0
    hop: Hop | None = None
    rule: str = ""
    """Kind of a broker's fault: the simulators' own name for it."""

    @property
    def name(self) -> str:
        """What is counted as one kind of fault."""
        return f"{self.kind}: {self.rule}" if self.rule else str(self.kind)


_WEIGHTS: Mapping[Kind, int] = {
    Kind.KILL: 10,
    Kind.KILL_TWO: 3,
    Kind.POWER_CUT: 1,
    Kind.PAUSE: 5,
    Kind.LONG_PAUSE: 5,
    Kind.DIE_AT_HOP: 20,
    Kind.SLEEP_AT_HOP: 8,
    Kind.KILL_VALKEY: 3,
    Kind.KILL_POSTGRES: 3,
    Kind.FREEZE_VALKEY: 3,
    Kind.FREEZE_POSTGRES: 3,
    Kind.DROP_VALKEY: 4,
    Kind.DROP_POSTGRES: 4,
    Kind.DELAY_VALKEY: 3,
    Kind.DELAY_POSTGRES: 3,
    Kind.FREEZE_BROKER: 3,
    Kind.REPEAT_TASK: 8,
    Kind.REPEAT_PHASE: 4,
    Kind.FULL_DISK: 4,
    Kind.SKEWED_CLOCK: 3,
    Kind.BROKER: 12,
}
# Of the brokers' faults those that let an account go on: no login refused for good, no person at the app.
_NOT_FOR_CHAOS = frozenset(
    {"session_kill", "session_invalid", "login_null", "ip_unlisted", "ip_changed", "human_open"}
)
BROKER_RULES: Mapping[str, Mapping[str, object]] = {
    str(rule["kind"]): rule
    for case in IN_SESSION
    for rule in case.rules.get(Venue.NSE, ())
    if rule["kind"] not in _NOT_FOR_CHAOS
}
_NEEDS_ORDERS = frozenset({Kind.DIE_AT_HOP, Kind.SLEEP_AT_HOP, Kind.BROKER})
_PROCESSES = (*(worker.name for worker in WORKERS), "beat", "api", "flower")
_ON_THE_PATH = ("worker-loops", "worker-orders", "worker-exits", "worker-exits-2", "worker-control", "feed")
# Not both exits workers: until one has started, nothing of ours could keep I5, as in the power cut.
_PAIRS = [pair for pair in combinations(_ON_THE_PATH, 2) if pair != ("worker-exits", "worker-exits-2")]
_REPEATED_TASKS = (TaskName.SUPERVISE, TaskName.RETRY_LOGINS, TaskName.AUDIT, *RunKind)
_REPEATED_PHASES = (Phase.PREPARE, Phase.LOGIN, Phase.ARM, Phase.BELL)
_SKEWABLE = ("worker-loops", "worker-orders")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Say what a plan is drawn from: all of it by default."""

    kinds: Sequence[Kind] = tuple(Kind)
    hops: Sequence[Hop] = HOPS
    rules: Sequence[str] = tuple(sorted(BROKER_RULES))


EVERYTHING = Choice()


class Planner:
    """Draw faults for one day."""

    def __init__(
        self,
        seed: int,
        *,
        venues: Sequence[Venue],
        agents: Sequence[str] = (),
        is_short: bool = False,
        choice: Choice = EVERYTHING,
    ) -> None:
        """Args: agents: in front of MT5's terminals; is_short: brief faults, from the bell on."""
        self._is_short, self._choice = is_short, choice
        self._random = random.Random(seed)
        self._processes = (*_PROCESSES, *map(feed_name, venues), *agents)
        self._brokers = ["simulator", *("simulator-binance" for v in venues if v is Venue.BINANCE)]
        self._hops = self._endless(choice.hops)
        self._rules = self._endless(choice.rules)
        self._killed = self._endless(self._processes)
        pick = self._random.choice
        asleep_s = 3.6 if is_short else 5.0  # both longer than a lease
        less = 2 if is_short else 1
        self._engine_s = (1.0,) if is_short else (1.0, 2.0, 4.0)
        self._ledger_s = (1.0,) if is_short else (1.0, 1.5)  # longer, nothing of ours could keep I5
        self._draws: Mapping[Kind, Callable[[], dict[str, Any]]] = {
            Kind.KILL: lambda: {"target": next(self._killed)},
            Kind.KILL_TWO: lambda: {"target": "+".join(pick(_PAIRS))},
            Kind.POWER_CUT: lambda: {"target": "everything"},
            Kind.PAUSE: lambda: {"target": pick(self._processes), "seconds": 1.5 / less},
            Kind.LONG_PAUSE: lambda: {"target": pick(_ON_THE_PATH), "seconds": asleep_s},
            Kind.DIE_AT_HOP: lambda: self._at_hop(0.0),
            Kind.SLEEP_AT_HOP: lambda: self._at_hop(asleep_s),
            Kind.FREEZE_BROKER: lambda: {"target": pick(self._brokers), "seconds": 3.0 / less},
            Kind.REPEAT_TASK: lambda: {"target": pick(_REPEATED_TASKS)},
            Kind.REPEAT_PHASE: lambda: {"target": pick(_REPEATED_PHASES)},
            Kind.FREEZE_POSTGRES: lambda: {"target": "engine", "seconds": pick(self._ledger_s)},
            Kind.FULL_DISK: lambda: {"target": pick(_ON_THE_PATH), "seconds": 3.0 / less},
            Kind.SKEWED_CLOCK: lambda: {
                "target": f"{pick(_SKEWABLE)} {pick((-4, 4))}",
                "seconds": 6.0 / less,
            },
            Kind.BROKER: lambda: {"target": "simulator", "rule": next(self._rules), "seconds": 4.0 / less},
        }

    def plan(self, session: TradingSession, count: int) -> tuple[Fault, ...]:
        """Return the faults in order of time, each kind once at least when there are enough of them."""
        kinds = self._kinds(count)
        first, last = session.open_at - _BEFORE_OPEN, session.close_at - _BEFORE_CLOSE
        if set(kinds) <= _NEEDS_ORDERS:
            first = session.open_at
        if self._is_short:
            first, last = session.open_at, session.open_at + _SHORT
        apart = (last - first) / count
        moments = sorted(self._moment(first + apart * n, apart) for n in range(count))
        _move_later(kinds, before=sum(at < session.open_at for at in moments))
        return tuple(
            self._fault(number, at, kind, is_open=at >= session.open_at)
            for number, (at, kind) in enumerate(zip(moments, kinds, strict=True), start=1)
        )

    def _kinds(self, count: int) -> list[Kind]:
        kinds = list(self._choice.kinds)
        self._random.shuffle(kinds)
        weights = [_WEIGHTS[kind] for kind in self._choice.kinds]
        more = self._random.choices(self._choice.kinds, weights, k=max(0, count - len(kinds)))
        kinds = kinds[:count] + more
        self._random.shuffle(kinds)
        return kinds

    def _moment(self, begins: datetime, apart: timedelta) -> datetime:
        """Return a moment right after a tick: then orders are under way."""
        at = begins + apart * self._random.random()
        since_midnight = timedelta(hours=at.hour, minutes=at.minute, seconds=at.second)
        tick = at.replace(hour=0, minute=0, second=0, microsecond=0) + since_midnight // _TICK * _TICK
        return tick + timedelta(milliseconds=self._random.randrange(0, 500))

    def _fault(self, number: int, at: datetime, kind: Kind, *, is_open: bool) -> Fault:
        if not is_open and kind is Kind.REPEAT_PHASE:
            return Fault(number=number, at=at, kind=kind, target=Phase.LOGIN)
        return Fault(number=number, at=at, kind=kind, **self._draws.get(kind, self._at_engine)())

    def _at_engine(self) -> dict[str, Any]:
        return {"target": "engine", "seconds": self._random.choice(self._engine_s)}

    def _at_hop(self, seconds: float) -> dict[str, Any]:
        hop = next(self._hops)
        return {"hop": hop, "target": str(hop), "seconds": seconds}

    def _endless(self, values: Sequence[T]) -> Iterator[T]:
        while True:
            deck = list(values)
            self._random.shuffle(deck)
            yield from deck


def _move_later(kinds: list[Kind], *, before: int) -> None:
    """Change what needs orders for what does not, where no order can be under way yet."""
    later = (n for n in range(before, len(kinds)) if kinds[n] not in _NEEDS_ORDERS)
    for number in range(before):
        if kinds[number] in _NEEDS_ORDERS:
            other = next(later)
            kinds[number], kinds[other] = kinds[other], kinds[number]
