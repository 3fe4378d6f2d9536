"""Connect the governor with the running stack, and ring the bell as the options ask."""

import signal
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime

import structlog
from sqlalchemy.exc import OperationalError

from app.db.outcomes import day_counts
from app.demo.cash import in_words
from app.demo.display import Counts
from app.demo.governor import Doors, Governor, Record
from app.demo.kill import kill_acts
from app.demo.options import Bell
from app.demo.quiescence import Blockers, Quiescence
from app.demo.stage import Stage
from app.domain.phases import Phase
from app.infra.names import TaskName
from app.infra.processes import ProcessError
from app.infra.queue import TaskQueue, make_celery
from app.infra.streams import connect

log = structlog.get_logger()

_BEAT_HELD_S = 40.0


def drive(stage: Stage) -> Record:
    """Run the virtual day to its end and return what the governor did."""
    valkey = connect(stage.house.engines.redis_url, pool_size=4)
    quiescence = Quiescence(
        database=stage.database,
        valkey=valkey,
        markets=stage.markets,
        timeline=stage.timeline,
        day=stage.options.day,
    )
    doors = Doors(
        clock=stage.house.clock,
        set_market_clock=lambda at: [m.simulator.set_clock(at, rate=1.0) for m in stage.markets.values()],
        blockers=quiescence.blockers,
        sleep=time.sleep,
        watch=_Watch(stage),
    )
    governor = Governor(stage.timeline, doors, speed=stage.options.speed, at=_acts(stage))
    stage.display.begin()
    try:
        return governor.run()
    finally:
        stage.display.end()
        valkey.close()


class _Watch:
    """Show the day now and then; the numbers cost a query."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._phase = ""

    def __call__(self, now: datetime, blockers: Blockers) -> None:
        due = self._stage.timeline.phases_due(now)
        phase = next((p for p in reversed(Phase) if p in due), "")
        if not self._stage.display.is_due(now, phase):
            return
        try:
            with self._stage.database.begin() as session:
                numbers = day_counts(session, self._stage.options.day)
        except OperationalError:
            return  # the engine is being started again; the next look shows it
        counts = Counts(
            phase=phase,
            ready=numbers["ready"],
            accounts=len(self._stage.people),
            loops=numbers["loops"],
            orders=numbers["orders"],
            filled=numbers["filled"],
            open_legs=numbers["open_legs"],
            cash=in_words(numbers["cash"]),
            alarms=numbers["alarms"],
        )
        self._stage.display.show(now, counts, blockers)


def _acts(stage: Stage) -> Mapping[datetime, Callable[[], None]]:
    return {**_bell_acts(stage), **stage.faults.acts(), **kill_acts(stage)}


def _bell_acts(stage: Stage) -> Mapping[datetime, Callable[[], None]]:
    opens = stage.timeline.session.open_at
    before = next(start for start, end in stage.timeline.windows if start <= opens <= end)
    match stage.options.bell:
        case Bell.ONCE:
            return {}
        case Bell.TWICE:
            return {opens: lambda: _ring_again(stage)}
        case Bell.LATE:
            return {before: lambda: _hold_beat(stage)}


def _ring_again(stage: Stage) -> None:
    """Send the bell twice more, as a second Beat or an impatient operator would."""
    queue = TaskQueue(make_celery(stage.house.engines.redis_url))
    for _ in range(2):
        queue.send(TaskName.RUN_PHASE, day=stage.options.day.isoformat(), phase=Phase.BELL.value)


def _hold_beat(stage: Stage) -> None:
    """Freeze Beat across the bell, as a stalled host would."""
    stage.group.kill("beat", signal.SIGSTOP)
    timer = threading.Timer(_BEAT_HELD_S, _let_beat_go, args=(stage,))
    timer.daemon = True
    timer.start()


def _let_beat_go(stage: Stage) -> None:
    try:
        stage.group.kill("beat", signal.SIGCONT)
    except ProcessError as e:
        log.warning("beat_not_continued", error=str(e))
