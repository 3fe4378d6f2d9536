"""Host the strategy loops of a shard of users: one thread, one decision round for all of them."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import structlog
from redis import Redis
from redis.exceptions import RedisError

from app.db.leases import LeaseLostError
from app.db.loops import DeploymentToday, load_shard
from app.db.session import Database
from app.domain.calendar_rules import TradingSession
from app.domain.deployments import Deployment
from app.domain.errors import InvariantError
from app.domain.ids import DeploymentId, UserId
from app.domain.market_data import IndicatorBar
from app.domain.markets import MARKETS
from app.domain.ports import Clock
from app.domain.strategy import BarEvent, FillEvent, StrategyEvent, TickEvent
from app.infra.names import LOOP_CURSOR_KEY
from app.services.indicators import register_needs
from app.services.loops.hub import Arrival, Hub, Subscription
from app.services.loops.market import MarketSnapshot
from app.services.loops.ports import Halter, Lease, Recorder, StrategyBuilder, Wish
from app.services.loops.step_guard import StepGuard
from app.services.loops.user_loop import LoopTools, SharedDecisions, UserLoop

log = structlog.get_logger()

_POLL_S = 0.25
_REFRESH_S = 1.0
_REPORT_S = 5.0
_SAMPLES = 2_000

Report = Callable[[Mapping[str, object]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopServices:
    """Hold what every shard host of a process uses; all of it thread-safe.

    `budget_s` is the real time that one strategy step may take.
    """

    database: Database
    valkey: Redis
    recorder: Recorder
    halter: Halter
    build: StrategyBuilder
    clock: Clock
    budget_s: float


class ShardHost:
    """Run the loops of some users under a lease until told to stop; use once.

    Each pass decides on what arrived, records the wishes of all users in one transaction and then
    moves the cursor. Everything is restored from the database, so a successor continues without
    doubling anything. Faults of the database end the run; the supervisor starts the next one.
    """

    def __init__(
        self, services: LoopServices, hub: Hub, *, session: TradingSession, shard: int, of: int
    ) -> None:
        """Host the users whose id leaves the remainder `shard` when divided by `of`."""
        self._services = services
        self._hub = hub
        self._session = session
        self._brokers = MARKETS[session.venue].brokers
        self._shard, self._of = shard, of
        self._guard = StepGuard(services.clock, budget_s=services.budget_s, on_stuck=self._halt_stuck)
        self._tools = LoopTools(
            session=session,
            build=services.build,
            guard=self._guard,
            halter=services.halter,
            budget_s=services.budget_s,
        )
        self._loops: dict[UserId, UserLoop] = {}
        self._fills: list[tuple[UserId, DeploymentId, FillEvent]] = []
        self._refreshed = self._reported = float("-inf")
        self._written: Mapping[str, str | int] = {}
        self._statistics = _Statistics()

    def run(self, lease: Lease, stop: threading.Event, report: Report) -> dict[str, object]:
        """Run until `stop` is set or the lease is lost; return a summary as JSON values.

        Args:
            lease: fences every write.
            stop: ends the run after the current pass.
            report: gets the progress every few seconds.
        """
        subscription = self._hub.subscribe(lease.name)
        try:
            with self._guard:
                self._follow(subscription, lease, stop, report)
        except LeaseLostError as e:
            log.warning("lease_lost", run=lease.name, error=str(e))
        finally:
            self._hub.unsubscribe(lease.name)
        reason = "stopped" if stop.is_set() else "lease_lost"
        return {"reason": reason, **self._progress(subscription)}

    def _follow(
        self, subscription: Subscription, lease: Lease, stop: threading.Event, report: Report
    ) -> None:
        backlog = self._missed_bars(lease, subscription)
        self._refresh(subscription.market)
        while not stop.is_set() and lease.is_valid():
            if not self._hub.is_alive:
                raise InvariantError(f"{lease.name}: the hub has died, its successor starts with a new one")
            arrival = subscription.take(0 if backlog or self._fills else _POLL_S)
            if arrival.is_woken:
                self._refresh(arrival.market)
            wishes = self._decide(arrival, backlog + arrival.bars)
            backlog = ()
            if not self._record(wishes, arrival.market, lease):
                return
            self._move_cursor(lease, arrival)
            if self._age(self._refreshed) >= _REFRESH_S:
                self._refresh(arrival.market)  # after the decisions: nobody waits for it
            if self._age(self._reported) >= _REPORT_S:
                self._reported = self._services.clock.monotonic()
                self._register_needs()  # again and again: Valkey may have lost them
                report(self._progress(subscription))

    def _missed_bars(self, lease: Lease, subscription: Subscription) -> tuple[IndicatorBar, ...]:
        # Prices of the past are worthless, but a bar that nobody has judged may carry a decision.
        cursor = cast("dict[str, str]", self._services.valkey.hgetall(LOOP_CURSOR_KEY.format(run=lease.name)))
        if "bars" not in cursor:
            return ()
        return self._hub.bars_between(cursor["bars"], subscription.start.bars)

    def _age(self, since: float) -> float:
        return self._services.clock.monotonic() - since

    def _refresh(self, market: MarketSnapshot) -> None:
        with self._services.database.begin() as session:
            rows = load_shard(
                session, shard=self._shard, of=self._of, day=self._session.date, brokers=self._brokers
            )
        self._refreshed = self._services.clock.monotonic()
        states: dict[UserId, list[DeploymentToday]] = defaultdict(list)
        for today in rows:
            states[today.deployment.user_id].append(today)
        for user_id in sorted(states.keys() - self._loops.keys()):
            self._loops[user_id] = UserLoop(user_id, self._tools)
        deployments = sum(loop.deployment_count for loop in self._loops.values())
        for user_id, loop in self._loops.items():
            fills = loop.update(states[user_id], now=market.now or self._session.open_at)
            self._fills += ((user_id, deployment_id, fill) for deployment_id, fill in fills)
        if sum(loop.deployment_count for loop in self._loops.values()) != deployments:
            self._register_needs()

    def _register_needs(self) -> None:
        needs = {need for loop in self._loops.values() for need in loop.needs()}
        try:
            register_needs(self._services.valkey, self._session.venue, self._session.date, needs)
        except RedisError as e:
            log.warning("needs_not_registered", error=type(e).__name__)

    def _decide(self, arrival: Arrival, bars: Sequence[IndicatorBar]) -> list[Wish]:
        market, now = arrival.market, arrival.market.now
        if now is None:
            return []
        fills, self._fills = self._fills, []
        wishes = [
            wish
            for user_id, deployment_id, fill in fills
            for wish in self._loops[user_id].ask(fill, market, now=now, shared={}, only=deployment_id)
        ]
        events: list[StrategyEvent] = [TickEvent(ts_event=now)] if arrival.has_round else []
        events += (BarEvent(indicator_bar=bar) for bar in bars)
        for event in events:
            shared: SharedDecisions = {}
            for loop in self._loops.values():
                wishes += loop.ask(event, market, now=now, shared=shared)
        latency_s = None if arrival.received is None else self._age(arrival.received)
        self._statistics.add(rounds=int(arrival.has_round), bars=len(bars), latency_s=latency_s)
        return wishes

    def _record(self, wishes: Sequence[Wish], market: MarketSnapshot, lease: Lease) -> bool:
        if not lease.is_valid():
            return False
        if wishes:
            result = self._services.recorder.record(wishes, market=market, lease=lease)
            for wish in wishes:
                if (wish.deployment.deployment_id, wish.signal.key) not in result.recorded:
                    self._loops[wish.deployment.user_id].withdraw(wish)
            self._statistics.signals += len(result.recorded)
        return True

    def _move_cursor(self, lease: Lease, arrival: Arrival) -> None:
        now = arrival.market.now
        cursor: dict[str, str | int] = {
            "ts": "" if now is None else now.isoformat(),
            "ticks": arrival.position.ticks,
            "bars": arrival.position.bars,
            "fence": lease.fence,
        }
        if cursor == self._written or not lease.is_valid():
            return
        try:
            self._services.valkey.hset(LOOP_CURSOR_KEY.format(run=lease.name), mapping=cast("Any", cursor))
        except RedisError as e:
            # The cursor is a convenience of the successor and of watchers; the next pass writes it again.
            log.warning("cursor_not_written", run=lease.name, error=type(e).__name__)
            return
        self._written = cursor

    def _halt_stuck(self, deployment: Deployment) -> None:
        reason = f"the strategy hung for more than {self._services.budget_s} s and could not be interrupted"
        self._services.halter.halt(deployment, reason)

    def _progress(self, subscription: Subscription) -> dict[str, object]:
        loops = self._loops.values()
        return {
            "users": len(self._loops),
            "deployments": sum(loop.deployment_count for loop in loops),
            "halted": sum(loop.halted for loop in loops),
            "steps": sum(loop.steps for loop in loops),
            "conflated": subscription.conflated,
            "ts": self._written.get("ts", ""),
            **self._statistics.summary(),
        }


class _Statistics:
    """Count what a run did; latency runs from the arrival of a round to the last decision on it."""

    def __init__(self) -> None:
        self.signals = 0
        self._rounds = 0
        self._bars = 0
        self._latencies_ms: deque[float] = deque(maxlen=_SAMPLES)

    def add(self, *, rounds: int, bars: int, latency_s: float | None) -> None:
        self._rounds += rounds
        self._bars += bars
        if latency_s is not None:
            self._latencies_ms.append(latency_s * 1000)

    def summary(self) -> dict[str, object]:
        ordered = sorted(self._latencies_ms)
        at = {name: int(len(ordered) * share) for name, share in (("p50", 0.5), ("p99", 0.99))}
        return {
            "rounds": self._rounds,
            "bars": self._bars,
            "signals": self.signals,
            **{f"decide_{name}_ms": round(ordered[i], 2) if ordered else None for name, i in at.items()},
        }
