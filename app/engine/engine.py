"""Decide: event to wishes, wishes to approved orders. One pure path for live, paper and replay."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from app.domain.deployments import Deployment, DeploymentState
from app.domain.errors import InvariantError
from app.domain.instruments import InstrumentKind
from app.domain.orders import OrderIntent, Side
from app.domain.position_sizing import NotSized, SizingFault, size_signal
from app.domain.risk.gate import Approved, Denied, evaluate
from app.domain.risk.limits import RiskLimits
from app.domain.risk.rules import DenialCode
from app.domain.risk.state import RiskState
from app.domain.signals import Signal, SignalKind
from app.domain.sizing import intents_for
from app.domain.strategy import MarketView, Strategy, StrategyEvent, StrategyView
from app.engine.state import Decision

_SIZING_CODES: Final = {
    SizingFault.INPUT_MISSING: DenialCode.SIZING_INPUT,
    SizingFault.BELOW_ONE_LOT: DenialCode.BELOW_ONE_LOT,
}


def process(strategy: Strategy, event: StrategyEvent, view: StrategyView) -> Decision:
    """Ask a strategy what it wishes now; wishes that are recorded already are dropped.

    Raises:
        InvariantError: the strategy broke its contract (one key twice, ENTER without legs, EXIT with
            legs, a hedge that needs a stop and has none); halt the deployment, its exits stay live.
    """
    wished = strategy.on_event(event, view)
    keys = [signal.key for signal in wished]
    if len(set(keys)) != len(keys):
        raise InvariantError(f"strategy: expected every signal key once, got {sorted(keys)}")
    for signal in wished:
        _check_hedges(signal, view.market)
        if (signal.kind is SignalKind.ENTER) != bool(signal.legs):
            raise InvariantError(
                f"signal {signal.key}: expected legs for ENTER and none for EXIT, "
                f"got {signal.kind} with {len(signal.legs)}"
            )
    return Decision(signals=tuple(signal for signal in wished if signal.key not in view.emitted))


def _check_hedges(signal: Signal, market: MarketView) -> None:
    for leg in signal.legs:
        if not leg.is_hedge or leg.protection is not None:
            continue
        kind = market.instrument(leg.instrument_id).kind
        if (leg.side, kind) != (Side.BUY, InstrumentKind.OPTION):
            raise InvariantError(
                f"signal {signal.key}: expected a stop for a hedge that is no bought option, "
                f"got {leg.side} {leg.instrument_id} without one"
            )


def decide(
    signals: Sequence[Signal],
    deployment: Deployment,
    *,
    limits: RiskLimits,
    market: MarketView,
    risk_state: RiskState,
    now: datetime,
    valid_until: datetime,
) -> Decision:
    """Judge the entry orders of a deployment's signals, one after the other.

    Each approved order counts when the next one is judged. A signal is approved as a whole or not at
    all: one leg of a straddle alone would be a naked position. Its lots are those of the deployment's sizing
    model; without what the model needs it is denied, never guessed.

    Args:
        signals: new wishes, in the order in which they were made; EXITs pass through.
        deployment: who wishes.
        limits: its limits.
        market: the market that the wishes are priced on.
        risk_state: the account, with `quotes` for every leg (`quotes_for`).
        now: the platform's time.
        valid_until: until when these orders may be sent, on the same clock as `now`.

    Raises:
        InvalidInputError: a leg without lots, or on an index.
        NotFoundError: an unknown instrument.
    """
    approved: list[Approved[OrderIntent]] = []
    denied: list[Denied] = []
    state = risk_state
    for signal in signals:
        if signal.kind is SignalKind.EXIT:
            continue
        sized = size_signal(signal, deployment.sizing, market=market, capital=state.capital)
        if isinstance(sized, NotSized):
            wished = intents_for(signal, deployment, market=market, valid_until=valid_until)
            denied += _all_denied(wished, _SIZING_CODES[sized.fault], sized.message)
            continue
        intents = intents_for(sized, deployment, market=market, valid_until=valid_until)
        verdict = _judge(intents, deployment, limits=limits, state=state, now=now)
        approved += verdict.approved
        denied += verdict.denied
        state = verdict.risk_state or state
    return Decision(signals=tuple(signals), approved=tuple(approved), denied=tuple(denied), risk_state=state)


def _judge(
    intents: Sequence[OrderIntent],
    deployment: Deployment,
    *,
    limits: RiskLimits,
    state: RiskState,
    now: datetime,
) -> Decision:
    if deployment.state is not DeploymentState.ACTIVE:
        reason = f"{deployment.name}: expected state ACTIVE, got {deployment.state}"
        return Decision(denied=_all_denied(intents, DenialCode.DEPLOYMENT_STATE, reason))
    approved: list[Approved[OrderIntent]] = []
    for intent in intents:
        verdict = evaluate(intent, state, limits=limits, now=now)
        if isinstance(verdict, Denied):
            others = [other for other in intents if other is not intent]
            reason = f"{intent.instrument_id} was refused: {verdict.code}"
            return Decision(denied=(verdict, *_all_denied(others, DenialCode.OTHER_LEG, reason)))
        approved.append(verdict)
        state = state.after(intent)
    return Decision(approved=tuple(approved), risk_state=state)


def _all_denied(intents: Sequence[OrderIntent], code: DenialCode, message: str) -> tuple[Denied, ...]:
    return tuple(Denied(intent=intent, code=code, message=message) for intent in intents)
