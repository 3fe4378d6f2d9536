"""Run the one reader of a process: wait for news, look at the tables, hand frames to the hub."""

import asyncio
import threading
from collections.abc import Mapping
from decimal import Decimal

import redis
import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from api.stream.changes import Changes
from api.stream.hub import STAFF, Body, Hub
from app.db.session import Database
from app.domain.ports import Clock
from app.infra.names import OPS_EVENTS_STREAM, USER_EVENTS_STREAM
from app.services.overview import Sources
from app.services.risk_control import Moment
from app.services.timeline import trading_day

log = structlog.get_logger()

_MARKS_PERIOD_S = 0.25
_CONFLATE_S = 0.1
_LOOK_PERIOD_S = 1.0
_FULL_LOOK_PERIOD_S = 5.0
_IDLE_PERIOD_S = 0.2
_END = "$"


class Pump:
    """Feed a hub from a thread of its own; idle while nobody watches."""

    def __init__(self, hub: Hub, *, database: Database, clock: Clock, sources: Sources) -> None:
        self._hub, self._database, self._live = hub, database, sources.live
        self._clock, self._sources = clock, sources
        self._stop = threading.Event()
        self._changes: Changes | None = None
        self._cursors: dict[str, str] = {}
        self._last_look = self._last_full = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="stream-pump", daemon=True)

    def start(self) -> None:
        """Start reading; call on the event loop that owns the hub."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Stop reading and wait until the thread has ended."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self._hub.audiences:
                self._changes = None
                self._stop.wait(_IDLE_PERIOD_S)
                continue
            has_news = self._wait()
            try:
                self._turn(has_news=has_news)
            except (OperationalError, PoolTimeoutError) as e:
                log.warning("stream_database_unavailable", error=type(e).__name__)
                self._stop.wait(_LOOK_PERIOD_S)

    def _wait(self) -> bool:
        wanted = {OPS_EVENTS_STREAM} | {
            USER_EVENTS_STREAM.format(user_id=audience)
            for audience in self._hub.audiences
            if audience is not STAFF
        }
        if STAFF in self._hub.audiences and self._changes is not None:
            wanted |= {USER_EVENTS_STREAM.format(user_id=user) for user in self._changes.users()}
        self._cursors = {stream: self._cursors.get(stream, _END) for stream in wanted}
        try:
            return self._live.wait_for_news(self._cursors, timeout_s=_MARKS_PERIOD_S)
        except redis.RedisError:
            # The tables are looked at all the same; the summary tells people that Valkey is away.
            self._stop.wait(_MARKS_PERIOD_S)
            return False

    def _turn(self, *, has_news: bool) -> None:
        now = self._clock.now()
        moment = Moment(day=trading_day(now), now=now, wall=self._clock.wall())
        if self._changes is None or self._changes.day != moment.day:
            self._changes = Changes(self._sources, day_of=moment)
            self._last_full = self._last_look = 0.0
        at = self._clock.monotonic()
        if has_news or at - self._last_look >= _LOOK_PERIOD_S:
            self._look(self._changes, moment, at)
        marks = self._read_marks(self._changes)
        self._send(self._changes.revalue(marks, moment, audiences=self._hub.audiences))
        if has_news:
            self._stop.wait(_CONFLATE_S)

    def _look(self, changes: Changes, moment: Moment, at: float) -> None:
        is_full = at - self._last_full >= _FULL_LOOK_PERIOD_S
        with self._database.begin() as session:
            bodies = changes.look(session, moment, audiences=self._hub.audiences, is_full=is_full)
        self._last_look = at
        self._last_full = at if is_full else self._last_full
        self._send(bodies)

    def _read_marks(self, changes: Changes) -> Mapping[str, Decimal]:
        # While Valkey is away the last known marks stand; the summary tells people that it is.
        return self._live.marks(changes.open_instruments()) or changes.marks

    def _send(self, bodies: list[Body]) -> None:
        if bodies and self._loop is not None:
            self._loop.call_soon_threadsafe(self._hub.publish, bodies)
