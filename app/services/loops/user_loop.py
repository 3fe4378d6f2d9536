"""Ask the strategies of one user; hold what is only this user's, and contain what goes wrong there."""

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import structlog

from app.db.loops import DeploymentToday
from app.domain.calendar_rules import TradingSession
from app.domain.deployments import Deployment
from app.domain.errors import InvalidInputError
from app.domain.ids import DeploymentId, InstrumentId, SignalKey, UserId
from app.domain.market_data import BarSpec
from app.domain.orders import OrderRole
from app.domain.signals import Signal
from app.domain.strategy import (
    BarEvent,
    FillEvent,
    LegView,
    MarketView,
    Strategy,
    StrategyEvent,
    StrategyView,
)
from app.services.loops.ports import Halter, StrategyBuilder, Wish
from app.services.loops.step_guard import StepGuard, StepTimedOut

log = structlog.get_logger()

T = TypeVar("T")


@dataclass(slots=True)
class _Running:
    state: DeploymentToday
    strategy: Strategy
    needs: frozenset[tuple[InstrumentId, BarSpec]]
    # Recorded or wished since the state was read; the database is the truth, this is its shadow.
    wished: set[SignalKey] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopTools:
    """Hold what all loops of a host share."""

    session: TradingSession
    build: StrategyBuilder
    guard: StepGuard
    halter: Halter
    budget_s: float


class UserLoop:
    """Run one user's deployments. A strategy that raises or hangs halts its own deployment only."""

    def __init__(self, user_id: UserId, tools: LoopTools) -> None:
        self.user_id = user_id
        self._tools = tools
        self._running: dict[DeploymentId, _Running] = {}
        self.steps = 0
        self.halted = 0

    @property
    def deployment_count(self) -> int:
        """How many deployments are asked."""
        return len(self._running)

    def update(
        self, states: Iterable[DeploymentToday], *, now: datetime
    ) -> list[tuple[DeploymentId, FillEvent]]:
        """Take over what the database says: new deployments start, missing ones stop. Returns new fills."""
        current = {state.deployment.deployment_id: state for state in states}
        for gone in self._running.keys() - current.keys():
            del self._running[gone]
        fills: list[tuple[DeploymentId, FillEvent]] = []
        for deployment_id, state in sorted(current.items()):
            known = self._running.get(deployment_id)
            if known is None or known.state.deployment.params != state.deployment.params:
                self._start(state)
                continue
            fills += ((deployment_id, fill) for fill in _new_fills(known.state.legs, state.legs, now))
            known.state = state
        return fills

    def ask(
        self, event: StrategyEvent, market: MarketView, *, now: datetime, only: DeploymentId | None = None
    ) -> list[Wish]:
        """Return what this user's strategies wish at an event.

        Args:
            event: what happened.
            market: the market that it is judged on.
            now: the exchange's time.
            only: ask one deployment instead of all.
        """
        wishes: list[Wish] = []
        for deployment_id, running in list(self._running.items()):
            if only is not None and deployment_id != only:
                continue
            if isinstance(event, BarEvent) and _source(event) not in running.needs:
                continue
            for signal in self._step(running, event, self._view(running, market, now)):
                running.wished.add(signal.key)
                wishes.append(Wish(deployment=running.state.deployment, signal=signal, ts_event=now))
        return wishes

    def withdraw(self, wish: Wish) -> None:
        """Forget a wish that was not recorded, so that the strategy may wish it again."""
        running = self._running.get(wish.deployment.deployment_id)
        if running is not None:
            running.wished.discard(wish.signal.key)

    def _view(self, running: _Running, market: MarketView, now: datetime) -> StrategyView:
        state = running.state
        return StrategyView(
            now=now,
            session_open=self._tools.session.open_at,
            session_close=self._tools.session.close_at,
            market=market,
            emitted=state.emitted | running.wished if running.wished else state.emitted,
            legs=state.legs,
        )

    def _start(self, state: DeploymentToday) -> None:
        deployment = state.deployment

        def build() -> _Running:
            strategy = self._tools.build(deployment.strategy, deployment.params)
            needs = frozenset((need.instrument_id, need.spec) for need in strategy.indicator_needs())
            return _Running(state=state, strategy=strategy, needs=needs)

        running = self._contain(deployment, build)
        if running is not None:
            self._running[deployment.deployment_id] = running

    def _step(self, running: _Running, event: StrategyEvent, view: StrategyView) -> Sequence[Signal]:
        self.steps += 1

        def step() -> tuple[Signal, ...]:
            signals = tuple(running.strategy.on_event(event, view))
            for signal in signals:
                if not isinstance(signal, Signal):
                    raise InvalidInputError(f"expected signals, got {type(signal).__name__}")
            return tuple(signal for signal in signals if signal.key not in view.emitted)

        return self._contain(running.state.deployment, step) or ()

    def _contain(self, deployment: Deployment, step: Callable[[], T]) -> T | None:
        try:
            return self._tools.guard.run(deployment, step)
        except StepTimedOut:
            self._halt(deployment, f"the strategy did not decide within {self._tools.budget_s} s")
        except (Exception, SystemExit) as e:  # noqa: BLE001  strategies are foreign code: the failure boundary
            text = "".join(traceback.format_exception_only(e)).strip()  # survives a broken __str__
            self._halt(deployment, f"the strategy raised {text}")
        return None

    def _halt(self, deployment: Deployment, reason: str) -> None:
        log.warning("strategy_halted", deployment_id=deployment.deployment_id, reason=reason)
        self._running.pop(deployment.deployment_id, None)
        self.halted += 1
        self._tools.halter.halt(deployment, reason[:500])


def _source(event: BarEvent) -> tuple[InstrumentId, BarSpec]:
    bar = event.indicator_bar.bar
    return bar.instrument_id, bar.spec


def _new_fills(
    before: Mapping[InstrumentId, LegView], after: Mapping[InstrumentId, LegView], now: datetime
) -> list[FillEvent]:
    fills = []
    for instrument_id, leg in after.items():
        old = before.get(instrument_id)
        if old is None or leg.entry_qty != old.entry_qty:
            role = OrderRole.ENTRY
        elif leg.net_qty != old.net_qty:
            role = OrderRole.STOP if leg.is_stopped else OrderRole.EXIT
        else:
            continue
        fills.append(FillEvent(instrument_id=instrument_id, role=role, ts_event=now))
    return fills
