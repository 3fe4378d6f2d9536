"""Read market data once per process and hand it to every shard host from memory."""

import threading
from dataclasses import dataclass
from datetime import timedelta

import structlog
from redis import Redis

from app.domain.calendar_rules import TradingSession
from app.domain.market_data import IndicatorBar
from app.domain.ports import Clock
from app.infra.market_codec import decode_bar, decode_round, gap_reason
from app.infra.marks import read_all_marks
from app.infra.names import BARS_STREAM, TICKS_STREAM, WAKE_STREAM
from app.infra.streams import Entry, StreamReader, entries_after, last_entry_id
from app.services.loops.market import Contracts, MarketSnapshot

log = structlog.get_logger()

_PREOPEN = timedelta(hours=1)
_LISTENS_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Say up to which stream entries something has been seen."""

    ticks: str
    bars: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Carry what came since the last look.

    Args:
        market: the newest snapshot.
        has_round: whether a round of ticks came; several are conflated into the newest.
        bars: closed bars with their indicators, in their order; never conflated.
        is_woken: whether the tables changed.
        position: what the snapshot and the bars include.
        received: monotonic seconds at which the newest part came, None without any.
    """

    market: MarketSnapshot
    has_round: bool
    bars: tuple[IndicatorBar, ...]
    is_woken: bool
    position: Position
    received: float | None


class Subscription:
    """Collect arrivals for one host. The hub's thread adds, the host's thread takes.

    Bounded by its nature: rounds are conflated to the newest, bars are few, wakes are a flag. `start` and
    `market` say with what it began.
    """

    def __init__(self, market: MarketSnapshot, position: Position) -> None:
        self.start = position
        self.market = market
        self._condition = threading.Condition()
        self._market = market
        self._position = position
        self._has_round = market.now is not None
        self._bars: list[IndicatorBar] = []
        self._is_woken = False
        self._received: float | None = None
        self.conflated = 0

    def take(self, timeout_s: float) -> Arrival:
        """Return what came; waits up to the time-out for something to come."""
        with self._condition:
            self._condition.wait_for(lambda: self._has_round or self._bars or self._is_woken, timeout_s)
            arrival = Arrival(
                market=self._market,
                has_round=self._has_round,
                bars=tuple(self._bars),
                is_woken=self._is_woken,
                position=self._position,
                received=self._received,
            )
            self._has_round, self._is_woken, self._received = False, False, None
            self._bars = []
            return arrival

    def put_market(self, market: MarketSnapshot, position: Position, *, rounds: int, received: float) -> None:
        """Replace the snapshot after some rounds."""
        with self._condition:
            self.conflated += rounds - 1 + self._has_round
            self._market, self._position, self._has_round = market, position, True
            self._received = received
            self._condition.notify()

    def put_bars(self, bars: tuple[IndicatorBar, ...], position: Position, *, received: float) -> None:
        """Add closed bars."""
        with self._condition:
            self._bars += bars
            self._position, self._received = position, received
            self._condition.notify()

    def wake(self) -> None:
        """Tell the host that the tables changed."""
        with self._condition:
            self._is_woken = True
            self._condition.notify()


class Hub:
    """Follow one venue's streams in a thread for all hosts of a process. One hub per process and session."""

    def __init__(self, valkey: Redis, *, session: TradingSession, contracts: Contracts, clock: Clock) -> None:
        self._valkey = valkey
        self._session = session
        self._clock = clock
        self._reader = StreamReader(valkey)
        self._ticks_stream = TICKS_STREAM.format(venue=session.venue)
        self._bars_stream = BARS_STREAM.format(venue=session.venue)
        self._market = MarketSnapshot(contracts=contracts, ticks={}, now=None)
        self._position = Position(ticks="", bars="")
        self._seen_bars: set[tuple[object, ...]] = set()
        self._subscriptions: dict[str, Subscription] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hub", daemon=True)

    def start(self) -> None:
        """Take the present market and follow the streams from here; raises RedisError."""
        # Positions first, prices second: what comes between is applied twice, never missed.
        self._position = Position(
            ticks=last_entry_id(self._valkey, self._ticks_stream),
            bars=last_entry_id(self._valkey, self._bars_stream),
        )
        marks = read_all_marks(self._valkey, self._session.venue)
        first, last = self._session.open_at - _PREOPEN, self._session.close_at + _PREOPEN
        self._market = self._market.with_ticks(t for t in marks if first <= t.ts_event <= last)
        self._reader.follow(self._ticks_stream, after=self._position.ticks)
        self._reader.follow(self._bars_stream, after=self._position.bars)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; subscriptions get nothing more."""
        self._stop.set()
        self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether the streams are being followed; an entry that cannot be read ends the thread."""
        return self._thread.is_alive()

    def subscribe(self, run: str) -> Subscription:
        """Return a run's subscription: it starts with the present market and hears the run's wakes."""
        wakes = WAKE_STREAM.format(run=run)
        after = last_entry_id(self._valkey, wakes)
        with self._lock:
            subscription = Subscription(self._market, self._position)
            self._subscriptions[wakes] = subscription
        self._reader.follow(wakes, after=after)
        # From now on a wake never comes later than the ticks behind it.
        self._reader.wait_until_read(wakes, _LISTENS_WITHIN_S)
        return subscription

    def unsubscribe(self, run: str) -> None:
        """End a run's subscription."""
        wakes = WAKE_STREAM.format(run=run)
        self._reader.forget(wakes)
        with self._lock:
            self._subscriptions.pop(wakes, None)

    def bars_between(self, after: str, until: str) -> tuple[IndicatorBar, ...]:
        """Return the session's bars between two positions, for a host that takes over from its cursor."""
        entries = entries_after(self._valkey, self._bars_stream, after=after, until=until)
        bars = {_key(bar): bar for bar in map(_bar_of, entries) if self._session.contains(bar.bar.start)}
        return tuple(bars.values())

    def _run(self) -> None:
        while not self._stop.is_set():
            batch = self._reader.read(self._stop)
            for stream in batch.gaps:
                log.warning("stream_gap", stream=stream)
            received = self._clock.monotonic()
            # Wakes first: what is in the tables was committed before the ticks that come with them.
            self._pass_wakes({entry.stream for entry in batch.entries} | set(batch.gaps))
            self._pass_rounds([e for e in batch.entries if e.stream == self._ticks_stream], received)
            self._pass_bars([e for e in batch.entries if e.stream == self._bars_stream], received)

    def _pass_wakes(self, streams: set[str]) -> None:
        with self._lock:
            woken = [self._subscriptions[stream] for stream in streams if stream in self._subscriptions]
        for subscription in woken:
            subscription.wake()

    def _pass_rounds(self, entries: list[Entry], received: float) -> None:
        rounds = 0
        for entry in entries:
            tick_round = decode_round(entry.fields)
            if tick_round is None:
                log.warning("feed_gap", reason=gap_reason(entry.fields))
            elif tick_round.ts_event < self._session.close_at + _PREOPEN:
                self._market = self._market.with_ticks(tick_round.ticks)
                rounds += 1
        if not rounds:
            return
        with self._lock:
            self._position = Position(ticks=entries[-1].entry_id, bars=self._position.bars)
            for subscription in self._subscriptions.values():
                subscription.put_market(self._market, self._position, rounds=rounds, received=received)

    def _pass_bars(self, entries: list[Entry], received: float) -> None:
        if not entries:
            return
        fresh = []
        for bar in map(_bar_of, entries):
            if _key(bar) not in self._seen_bars and self._session.contains(bar.bar.start):
                self._seen_bars.add(_key(bar))
                fresh.append(bar)
        with self._lock:
            self._position = Position(ticks=self._position.ticks, bars=entries[-1].entry_id)
            for subscription in self._subscriptions.values():
                subscription.put_bars(tuple(fresh), self._position, received=received)


def _bar_of(entry: Entry) -> IndicatorBar:
    return decode_bar(entry.fields)


def _key(indicator_bar: IndicatorBar) -> tuple[object, ...]:
    bar = indicator_bar.bar
    return bar.instrument_id, bar.spec.minutes, bar.start
