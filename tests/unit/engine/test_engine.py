"""Check how events become decisions."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import pytest

from app.domain.deployments import Deployment, DeploymentState
from app.domain.errors import InvariantError
from app.domain.markets import INR, Money
from app.domain.orders import Side
from app.domain.risk.limits import RiskLimits
from app.domain.risk.rules import DenialCode
from app.domain.signals import Signal, SignalKind
from app.domain.strategy import IndicatorNeed, StrategyEvent, StrategyView, TickEvent
from app.engine.engine import decide, process
from app.engine.replay import replay
from app.engine.state import Decision, quotes_for
from tests.builders import (
    CALL,
    KEY,
    NOW,
    OPEN,
    PUT,
    SQUARE_OFF,
    at_ease,
    deployment,
    enter,
    leave,
    market,
    signal_leg,
    tick,
)


@dataclass(frozen=True, slots=True)
class Wishes:
    """A strategy that wishes the same at each event."""

    signals: tuple[Signal, ...]

    def indicator_needs(self) -> Sequence[IndicatorNeed]:
        return ()

    def on_event(self, event: StrategyEvent, view: StrategyView) -> Sequence[Signal]:
        assert event.ts_event == view.now  # type: ignore[union-attr]  # ticks only
        return self.signals


EVENT = TickEvent(ts_event=NOW)
VIEW = StrategyView(
    now=NOW,
    session_open=OPEN,
    session_close=SQUARE_OFF,
    market=market(),
    emitted=frozenset(),
    legs={},
)


def decided(*signals: Signal, limits: RiskLimits | None = None, by: Deployment | None = None) -> Decision:
    return decide(
        signals,
        by or deployment(),
        limits=limits or RiskLimits(),
        market=market(),
        risk_state=at_ease(),
        now=NOW,
        valid_until=NOW + timedelta(seconds=5),
    )


def sized_by(sizing: dict[str, object], *, capital: int | None) -> Decision:
    money = None if capital is None else Money(amount=Decimal(capital), currency=INR)
    return decide(
        [enter()],
        replace(deployment(), sizing=sizing),
        limits=RiskLimits(),
        market=market(),
        risk_state=replace(at_ease(), capital=money),
        now=NOW,
        valid_until=NOW + timedelta(seconds=5),
    )


@pytest.mark.parametrize(("side", "is_refused"), [(Side.BUY, False), (Side.SELL, True)])
def test_only_a_bought_option_may_hedge_without_a_stop(side: Side, *, is_refused: bool) -> None:
    hedge = replace(signal_leg(side=side, is_hedge=True), protection=None)
    expectation = pytest.raises(InvariantError, match="expected a stop") if is_refused else nullcontext()

    with expectation:
        process(Wishes((enter(hedge, signal_leg(PUT)),)), EVENT, VIEW)


def test_passes_new_wishes_and_drops_recorded_ones() -> None:
    strategy = Wishes((enter(), leave()))

    assert process(strategy, EVENT, VIEW) == Decision(signals=(enter(), leave()))
    assert process(strategy, EVENT, replace(VIEW, emitted=frozenset({KEY}))).signals == (leave(),)


@pytest.mark.parametrize(
    "signals",
    [
        (enter(), enter()),
        (replace(enter(), legs=()),),
        (replace(enter(), kind=SignalKind.EXIT),),
    ],
    ids=["one key twice", "ENTER without legs", "EXIT with legs"],
)
def test_a_strategy_that_breaks_its_contract_is_a_bug(signals: tuple[Signal, ...]) -> None:
    with pytest.raises(InvariantError):
        process(Wishes(signals), EVENT, VIEW)


def test_approves_both_legs_of_a_straddle() -> None:
    decision = decided(enter())

    assert [a.value.instrument_id for a in decision.approved] == [CALL.instrument_id, PUT.instrument_id]
    assert decision.denied == ()
    assert decision.risk_state is not None
    assert decision.risk_state.entries_this_second == 2


def test_exits_pass_through_without_orders() -> None:
    decision = decided(leave())

    assert decision.exits == (leave(),)
    assert (len(decision.approved), len(decision.denied)) == (0, 0)
    assert decision.risk_state == at_ease()


def test_each_approved_order_counts_for_the_next() -> None:
    decision = decided(enter(), enter(key="again"))

    assert len(decision.approved) == 2
    assert [denied.code for denied in decision.denied] == [DenialCode.DUPLICATE, DenialCode.OTHER_LEG]


def test_a_signal_is_approved_whole_or_not_at_all() -> None:
    limits = RiskLimits(max_open_positions=Decimal(1))

    decision = decided(enter(), enter(signal_leg(), key="single"), limits=limits)

    assert [(d.intent.leg, d.code) for d in decision.denied] == [
        (1, DenialCode.OPEN_POSITIONS),
        (0, DenialCode.OTHER_LEG),
    ]
    assert [a.value.signal_key for a in decision.approved] == ["single"]


def test_a_stopped_deployment_enters_nothing_but_may_leave() -> None:
    decision = decided(enter(), leave(), by=deployment(state=DeploymentState.HALTED))

    assert [denied.code for denied in decision.denied] == [DenialCode.DEPLOYMENT_STATE] * 2
    assert decision.denied[0].message == "straddle: expected state ACTIVE, got HALTED"
    assert decision.exits == (leave(),)


@pytest.mark.parametrize(
    ("sizing", "capital", "lots"),
    [
        ({}, None, 1),
        ({"model": "fixed_lots", "lots": 2}, None, 2),
        ({"model": "multiplier", "factor": "3.9"}, None, 3),
        # Both stops together lose 65 * 48.75 = 3,168.75.
        ({"model": "fixed_risk", "fraction": "0.01"}, 700_000, 2),
    ],
)
def test_a_deployment_enters_the_lots_of_its_sizing_model(
    sizing: dict[str, object], capital: int | None, lots: int
) -> None:
    decision = sized_by(sizing, capital=capital)

    assert [a.value.quantity for a in decision.approved] == [65 * lots] * 2


@pytest.mark.parametrize(
    ("sizing", "code"),
    [
        ({"model": "fixed_risk", "fraction": "0.01"}, DenialCode.SIZING_INPUT),
        ({"model": "multiplier", "factor": "0.9"}, DenialCode.BELOW_ONE_LOT),
    ],
)
def test_an_entry_that_cannot_be_sized_is_denied_whole(sizing: dict[str, object], code: DenialCode) -> None:
    decision = sized_by(sizing, capital=None)

    assert decision.approved == ()
    assert [(d.code, d.intent.quantity) for d in decision.denied] == [(code, Decimal(65))] * 2
    assert decision.denied[0].message.startswith(f"{sizing['model']}: expected")


def test_limits_bind_what_was_sized() -> None:
    decision = sized_by({"model": "fixed_lots", "lots": 51}, capital=None)

    assert decision.approved == ()
    assert decision.denied[0].code is DenialCode.QUANTITY


def test_quotes_show_terms_price_and_age_of_every_leg() -> None:
    quotes = quotes_for(
        [enter(), leave()],
        market(tick("100")),
        age_of=lambda i: timedelta(seconds=1) if i == CALL.instrument_id else None,
    )

    assert quotes.keys() == {CALL.instrument_id, PUT.instrument_id}
    assert (quotes[CALL.instrument_id].last, quotes[CALL.instrument_id].age) == (
        Decimal(100),
        timedelta(seconds=1),
    )
    assert quotes[PUT.instrument_id].instrument == PUT
    assert (quotes[PUT.instrument_id].last, quotes[PUT.instrument_id].age) == (None, None)


def test_a_replay_wishes_each_thing_once_and_the_same_each_time() -> None:
    day = [(EVENT, VIEW)] * 3

    first = list(replay(Wishes((enter(),)), day))

    assert [len(decision.signals) for decision in first] == [1, 0, 0]
    assert list(replay(Wishes((enter(),)), day)) == first
