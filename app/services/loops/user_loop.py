"""Ask the strategies of one user; hold what is only this user's, and contain what goes wrong there."""

import json
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

import structlog

from app.db.loops import DeploymentToday
from app.domain.calendar_rules import TradingSession
from app.domain.deployments import Deployment
from app.domain.errors import InvalidInputError
from app.domain.ids import DeploymentId, InstrumentId, SignalKey, UserId
from app.domain.market_data import BarSpec
from app.domain.numbers import ZERO
from app.domain.orders import OrderRole
from app.domain.risk.limits import RiskLimits
from app.domain.signals import Signal
from app.domain.strategy import (
    BarEvent,
    FillEvent,
    IndicatorNeed,
    LegView,
    MarketView,
    Strategy,
    StrategyEvent,
    StrategyView,
)
from app.engine.engine import process
from app.services.feed.bar_desk import SPECS
from app.services.loops.ports import Halter, StrategyBuilder, Wish
from app.services.loops.step_guard import StepGuard, StepTimedOut

log = structlog.get_logger()

T = TypeVar("T")

SharedDecisions = dict[tuple[str, frozenset[SignalKey]], Sequence[Signal]]
"""Signals by strategy, parameters and recorded keys, of deployments without legs, at one event."""

_LONGEST_VALIDITY_S = 3600


@dataclass(slots=True)
class _Running:
    # Strategy and parameters: deployments alike in these and in their history wish the same.
    shape: str
    state: DeploymentToday
    strategy: Strategy
    needs: frozenset[IndicatorNeed]
    sources: frozenset[tuple[InstrumentId, BarSpec]]
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

    def needs(self) -> frozenset[IndicatorNeed]:
        """Return the indicators that the running strategies want to see."""
        return frozenset().union(*(running.needs for running in self._running.values()))

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
        self,
        event: StrategyEvent,
        market: MarketView,
        *,
        now: datetime,
        shared: SharedDecisions,
        only: DeploymentId | None = None,
    ) -> list[Wish]:
        """Return what this user's strategies wish at an event.

        Args:
            event: what happened.
            market: the market that it is judged on.
            now: the exchange's time.
            shared: what others wished at this very event on this very market; this user's are added.
            only: ask one deployment instead of all.
        """
        wishes: list[Wish] = []
        for deployment_id, running in list(self._running.items()):
            if only is not None and deployment_id != only:
                continue
            if isinstance(event, BarEvent) and _source(event) not in running.sources:
                continue
            for signal in self._decide(running, event, self._view(running, market, now), shared):
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
            RiskLimits.from_mapping(deployment.limits)  # what cannot be judged must not start
            strategy = self._tools.build(deployment.strategy, deployment.params)
            needs = frozenset(strategy.indicator_needs())
            sources = frozenset((need.instrument_id, need.spec) for need in needs)
            for _, spec in sources:
                if spec not in SPECS:
                    built = ", ".join(map(str, SPECS))
                    raise InvalidInputError(f"indicators: expected bars of {built}, got {spec}")
            shape = json.dumps([deployment.strategy, deployment.params], sort_keys=True)
            return _Running(shape=shape, state=state, strategy=strategy, needs=needs, sources=sources)

        running = self._contain(deployment, build)
        if running is not None:
            self._running[deployment.deployment_id] = running

    def _decide(
        self, running: _Running, event: StrategyEvent, view: StrategyView, shared: SharedDecisions
    ) -> Sequence[Signal]:
        """Evaluate once for all who are alike: a strategy is a pure function of event and view."""
        self.steps += 1
        if view.legs:
            return self._step(running, event, view) or ()
        alike = (running.shape, view.emitted)
        if alike not in shared:
            signals = self._step(running, event, view)
            if signals is None:
                return ()  # the fault halted this deployment; each of the others is judged by itself
            shared[alike] = signals
        return shared[alike]

    def _step(self, running: _Running, event: StrategyEvent, view: StrategyView) -> Sequence[Signal] | None:
        def step() -> Sequence[Signal]:
            signals = process(running.strategy, event, view).signals
            for signal in signals:
                _demand_sound(signal, view.market)
            return signals

        return self._contain(running.state.deployment, step)

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


def _demand_sound(signal: Signal, market: MarketView) -> None:
    """Raise for a signal that its transaction could not store: that would fail everybody's round."""
    if not isinstance(signal.key, str) or "\0" in f"{signal.key}{signal.reason}":
        raise InvalidInputError(f"signal key: expected text, got {signal.key!r}")
    if not isinstance(signal.valid_for_s, Decimal) or not 0 < signal.valid_for_s <= _LONGEST_VALIDITY_S:
        raise InvalidInputError(
            f"signal {signal.key}: expected valid_for_s up to an hour, got {signal.valid_for_s}"
        )
    for leg in signal.legs:
        market.instrument(leg.instrument_id)
        if not isinstance(leg.lots, int) or leg.lots < 1:
            raise InvalidInputError(f"signal {signal.key}: expected whole lots, got {leg.lots!r}")
        if not isinstance(leg.reference_price, Decimal) or not leg.reference_price.is_finite():
            raise InvalidInputError(f"signal {signal.key}: expected a price, got {leg.reference_price!r}")


def _source(event: BarEvent) -> tuple[InstrumentId, BarSpec]:
    bar = event.indicator_bar.bar
    return bar.instrument_id, bar.spec


def _new_fills(
    before: Mapping[InstrumentId, LegView], after: Mapping[InstrumentId, LegView], now: datetime
) -> list[FillEvent]:
    fills = []
    for instrument_id, leg in after.items():
        old = before.get(instrument_id)
        entry_qty, net_qty = (ZERO, ZERO) if old is None else (old.entry_qty, old.net_qty)
        if leg.entry_qty != entry_qty:
            role = OrderRole.ENTRY
        elif leg.net_qty != net_qty:
            role = OrderRole.STOP if leg.is_stopped else OrderRole.EXIT
        else:
            continue
        fills.append(FillEvent(instrument_id=instrument_id, role=role, ts_event=now))
    return fills
