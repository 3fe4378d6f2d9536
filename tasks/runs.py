"""Host leased runs: one task is one run; what it does stands in the services."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from celery import signals
from sqlalchemy.exc import OperationalError

from app.domain.errors import NotFoundError
from app.domain.instruments import Venue
from app.infra.names import QueueName, RunKind, TaskName
from app.infra.streams import is_reachable
from app.services.lanes.chases import Chases
from app.services.lanes.entries import EntryLane
from app.services.lanes.wakes import Wakes
from app.services.loops.halts import DeploymentHalter
from app.services.loops.hub import Hub
from app.services.loops.market import Contracts
from app.services.loops.shard import LoopServices, ShardHost
from app.services.market_day import MarketDay
from app.services.risk_watch import RiskWatch
from app.services.runs import Lease, held_lease, stop_on
from app.services.supervision import dispatch_lapsed
from app.services.takeovers import Takeovers
from strategies.registry import load_registry
from tasks.celery import celery_app, is_serving
from tasks.container import Container, container

log = structlog.get_logger()

_TRIES = 150
_TRIES_AGAIN_AFTER_S = 0.2
_LOOKS_FOR_EXITS_EVERY_S = 0.2

RUN_TASKS = {
    RunKind.LOOPS: TaskName.RUN_LOOPS,
    RunKind.ENTRIES: TaskName.RUN_ENTRIES,
    RunKind.EXITS: TaskName.RUN_EXITS,
    RunKind.BOOKS: TaskName.RUN_BOOKS,
    RunKind.RISK: TaskName.RUN_RISK,
}

Host = Callable[[Container, Lease], dict[str, Any]]


def _host(name: str, run: Host, *, ttl: timedelta | None = None) -> dict[str, Any]:
    """Hold the lease of a run while it works, then let its successor start; `ttl` if not the usual one.

    Whom a PostgreSQL that was away tore out of the run takes it up again by itself as soon as it may: a
    successor comes through Valkey and a queue, and bare positions would wait for it.
    """
    parts = container()
    summary: dict[str, Any] = {"status": "torn"}
    for _ in range(_TRIES):
        try:
            summary = _hold(parts, name, run, ttl or parts.settings.lease_ttl)
        except OperationalError as e:
            log.warning("run_torn", run=name, error=type(e.orig).__name__)
            if parts.stop.wait(_TRIES_AGAIN_AFTER_S):
                break
        else:
            if summary["status"] != "lapsed":
                break
    if summary["status"] == "ended" and not parts.stop.is_set():
        dispatch_lapsed(parts.database, celery_app)
    return summary


def _hold(parts: Container, name: str, run: Host, ttl: timedelta) -> dict[str, Any]:
    with held_lease(
        parts.lane_database,
        parts.clock,
        name=name,
        holder=parts.holder,
        ttl=ttl,
        length_s=parts.settings.run_length_s,
        can_hand_over=lambda: is_reachable(parts.addresses.redis_url),
    ) as lease:
        if lease is None:
            return {"status": "busy"}
        stop_on(parts.stop, lease)
        summary = run(parts, lease)
        return {**summary, "status": "lapsed" if lease.has_lapsed else "ended"}


@celery_app.task(name=TaskName.RUN_ENTRIES, track_started=True)
def run_entries(name: str) -> dict[str, Any]:
    """Run the entry lane of a shard. Bounded by its lease; threads know no time limit."""
    return _host(name, _run_entries)


@celery_app.task(name=TaskName.RUN_EXITS, track_started=True)
def run_exits(name: str) -> dict[str, Any]:
    """Run the exits lane of a shard."""
    return _host(name, _run_exits, ttl=container().settings.exits_lease_ttl)


@signals.celeryd_after_setup.connect
def _watch_exits(instance: Any, **_: Any) -> None:  # noqa: ANN401  signal
    """Watch before the worker has found its queue: the other one may stand still while this one starts."""
    if is_serving(instance, QueueName.EXITS):
        threading.Thread(target=_take_over_until_stopped, daemon=True).start()


def _take_over_until_stopped() -> None:
    """Do without the queue what it was asked for and did not bring in time."""
    parts = container()
    takeovers = Takeovers(parts.lane_database, run_exits)
    while not parts.stop.wait(_LOOKS_FOR_EXITS_EVERY_S):
        takeovers.look()


@celery_app.task(name=TaskName.RUN_BOOKS, track_started=True)
def run_books(name: str) -> dict[str, Any]:
    """Compare a shard's accounts with the broker's books."""
    return _host(name, _run_books)


@celery_app.task(name=TaskName.RUN_RISK, track_started=True)
def run_risk(name: str) -> dict[str, Any]:
    """Watch the profit and loss of a market by its limits."""
    return _host(name, _run_risk)


@celery_app.task(name=TaskName.RUN_LOOPS, track_started=True)
def run_loops(name: str) -> dict[str, Any]:
    """Host the strategy loops of a shard of users."""
    return _host(name, _run_loops)


def _run_entries(parts: Container, lease: Lease) -> dict[str, Any]:
    lane = EntryLane(
        settings=parts.settings,
        database=parts.lane_database,
        clock=parts.clock,
        execution=parts.execution,
        gateways=parts.gateways,
        budget=parts.budget,
        breakers=parts.breakers,
        contracts=parts.contracts,
        chases=Chases(
            settings=parts.settings,
            database=parts.lane_database,
            clock=parts.clock,
            execution=parts.execution,
            gateways=parts.gateways,
            budget=parts.budget,
            breakers=parts.breakers,
            contracts=parts.contracts,
            valkey=parts.impatient_valkey,
        ),
    )
    wakes = Wakes()
    with wakes.listening(parts.valkey, lease):
        return lane.run(lease, wakes)


def _run_exits(parts: Container, lease: Lease) -> dict[str, Any]:
    wakes = Wakes()
    with wakes.listening(parts.valkey, lease):
        return parts.new_exit_lane().run(lease, wakes)


def _run_books(parts: Container, lease: Lease) -> dict[str, Any]:
    wakes = Wakes()
    with wakes.listening(parts.valkey, lease):
        return parts.new_books_run().run(lease, wakes, day=_market_day(parts, lease).today())


def _run_risk(parts: Container, lease: Lease) -> dict[str, Any]:
    watch = RiskWatch(
        settings=parts.settings,
        database=parts.database,
        clock=parts.clock,
        valkey=parts.impatient_valkey,
        news=parts.news,
        costs=parts.costs,
        market=_market_day(parts, lease).market,
    )
    return watch.run(lease)


def _market_day(parts: Container, lease: Lease) -> MarketDay:
    return parts.market_days[Venue(lease.spec["venue"])]


def _run_loops(parts: Container, lease: Lease) -> dict[str, Any]:
    market_day = _market_day(parts, lease)
    day = market_day.today()
    session = market_day.session_of(day)
    if session is None:
        raise NotFoundError(f"expected a trading session on {day}, the market is closed")
    contracts = Contracts(parts.contracts.of_day(day, market_day.market).values())
    hub = Hub(parts.valkey, session=session, contracts=contracts, clock=parts.clock)
    services = LoopServices(
        database=parts.database,
        valkey=parts.valkey,
        recorder=parts.trading,
        halter=DeploymentHalter(parts.database, parts.news, parts.clock),
        build=load_registry(parts.settings.strategy_modules).build,
        clock=parts.clock,
        budget_s=parts.settings.step_budget_s,
    )
    host = ShardHost(services, hub, session=session, shard=int(lease.spec["shard"]), of=int(lease.spec["of"]))
    hub.start()
    try:
        return host.run(lease, lease.ended, lease.progress.update)
    finally:
        hub.stop()
