"""Turn the day that was read into what the page shows."""

from api.schemas.day import (
    AccountCounts,
    BreakerInfo,
    FindingInfo,
    Health,
    LoopCounts,
    OrderCounts,
    PhaseInfo,
    PnlInfo,
    Process,
    QueueLength,
    SessionInfo,
    Summary,
)
from app.config import Settings
from app.domain.accounts import LoginStatus, TradingState
from app.domain.deployments import DeploymentState
from app.domain.orders import TERMINAL, OrderStatus
from app.domain.phases import INDIA
from app.infra.flower import flower_url
from app.services.overview import Day, age_s, findings, verdict


def show_summary(day: Day, settings: Settings) -> Summary:
    """Return the day in one look."""
    found = findings(day)
    return Summary(
        day=day.moment.day,
        now=day.moment.now,
        time_zone=INDIA.key,
        session=None if day.session is None else SessionInfo.model_validate(day.session),
        is_open=day.is_open,
        verdict=verdict(found),
        findings=[FindingInfo.model_validate(finding) for finding in found],
        phases=[PhaseInfo.model_validate(phase) for phase in day.phases],
        accounts=_accounts(day),
        loops=_loops(day),
        orders=_orders(day),
        open_positions=sum(leg.net_qty != 0 for leg in day.legs),
        unprotected_positions=day.unprotected_legs(),
        pnl=[PnlInfo.model_validate(pnl) for pnl in day.pnl()],
        open_alarms=day.open_alarms,
        health=show_health(day, settings),
    )


def show_health(day: Day, settings: Settings) -> Health:
    """Return the state of the machinery."""
    beats, wall = day.heartbeats, day.moment.wall
    workers = {} if beats is None else beats.workers
    queues = {} if beats is None else beats.queues
    return Health(
        is_database_up=True,
        is_valkey_up=beats is not None,
        feed_age_s=None if beats is None else age_s(beats.feed_wall, wall),
        feed_status="" if beats is None else beats.feed_status,
        beat_age_s=None if beats is None else age_s(beats.beat_wall, wall),
        workers=[Process(name=name, age_s=age_s(at, wall) or 0.0) for name, at in sorted(workers.items())],
        queues=[QueueLength(name=name, length=length) for name, length in queues.items()],
        breakers=[
            BreakerInfo(
                broker=broker,
                endpoints=endpoints,
                state=breaker.state,
                since=breaker.since if breaker.open_for else None,
            )
            for (broker, endpoints), breaker in day.breakers.items()
        ],
        flower_url=flower_url(settings),
    )


def _accounts(day: Day) -> AccountCounts:
    return AccountCounts(
        total=len(day.logins),
        ready=day.logins_in(LoginStatus.READY),
        failed=day.logins_in(LoginStatus.FAILED),
        waiting=day.logins_in(LoginStatus.PENDING, LoginStatus.LOGGING_IN, LoginStatus.LOGGED_IN),
        halted=day.accounts_in(TradingState.HALTED),
        reducing=day.accounts_in(TradingState.REDUCING),
    )


def _loops(day: Day) -> LoopCounts:
    active = [row for row in day.deployments if row.state == DeploymentState.ACTIVE]
    return LoopCounts(
        runs_wanted=sum(run.is_wanted for run in day.runs),
        runs_alive=sum(run.is_wanted and run.is_alive for run in day.runs),
        deployments_active=len(active),
        deployments_armed=sum(row.armed_on == day.moment.day for row in active),
    )


def _orders(day: Day) -> OrderCounts:
    total = sum(row.n for row in day.order_counts)
    return OrderCounts(
        total=total,
        working=total - day.orders_in(*TERMINAL) - day.orders_in(OrderStatus.INITIALIZED),
        filled=day.orders_in(OrderStatus.FILLED),
        rejected=day.orders_in(OrderStatus.REJECTED),
        denied=day.orders_in(OrderStatus.DENIED),
        unknown=day.unknown_orders(),
    )
