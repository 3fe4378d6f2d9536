"""Check the laws of the risk gate and the engine for any account."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.domain.accounts import TradingState
from app.domain.ids import ClientOrderId, DeploymentId, SignalKey, client_order_id
from app.domain.markets import INR, Money
from app.domain.orders import OrderIntent, OrderRole, Side
from app.domain.risk.funds import Funds, MarginTerms
from app.domain.risk.gate import ENTRY_RULES, Approved, Denied, evaluate
from app.domain.risk.limits import MarginCheck, RiskLimits
from app.domain.risk.net_pnl import NetPnl
from app.domain.risk.rules import Case
from app.domain.risk.scopes import limits_in_force, loosened, strictest
from app.domain.risk.state import RiskState
from app.domain.risk.trades import EndedTrade
from app.engine.engine import decide
from tests.builders import (
    CALL,
    DEPLOYMENT_ID,
    NOW,
    OPEN,
    PUT,
    SQUARE_OFF,
    deployment,
    enter,
    holding,
    intent,
    market,
    quote,
    signal_leg,
)

trading_states = st.sampled_from(TradingState)
positive = st.integers(1, 10**7).map(Decimal)
limits = st.builds(
    RiskLimits,
    max_lots=st.integers(1, 60).map(Decimal),
    max_order_notional=positive,
    max_account_notional=positive,
    max_entries_per_second=st.integers(1, 10).map(Decimal),
    max_daily_loss=positive,
    max_open_positions=st.integers(1, 3).map(Decimal),
    max_underlying_notional=st.none() | positive,
    max_open_orders=st.none() | st.integers(1, 6).map(Decimal),
    max_orders_per_day=st.none() | st.integers(1, 6).map(Decimal),
    cooldown_s=st.none() | st.integers(1, 600).map(Decimal),
    allowed_symbols=st.sampled_from([(), (frozenset({"NIFTY"}),), (frozenset({"BANKNIFTY"}),)]),
    denied_symbols=st.sampled_from([frozenset[str](), frozenset({str(PUT.instrument_id)})]),
    max_stops=st.none() | st.integers(1, 4).map(Decimal),
    max_losing_trades=st.none() | st.integers(1, 4).map(Decimal),
    max_trade_drawdown=st.none() | positive,
    low_profit_trades=st.none() | st.integers(1, 4).map(Decimal),
    margin_check=st.sampled_from(MarginCheck),
    funds_max_age_s=st.integers(1, 90).map(Decimal),
)
funds = st.builds(
    Funds,
    available=st.integers(-(10**6), 10**8).map(lambda rupees: Money(amount=Decimal(rupees), currency=INR)),
    age=st.integers(0, 100).map(lambda seconds: timedelta(seconds=seconds)),
    terms=st.builds(MarginTerms, option_margin=st.sampled_from([Decimal("0.05"), Decimal("0.20")])),
    committed=st.none() | st.integers(0, 10**6).map(Decimal),
)
trades = st.lists(
    st.builds(
        EndedTrade,
        deployment_id=st.sampled_from([DEPLOYMENT_ID, DeploymentId(8)]),
        instrument_id=st.sampled_from([CALL.instrument_id, PUT.instrument_id]),
        pnl=st.integers(-(10**4), 10**4).map(Decimal),
        ended_at=st.integers(0, 5000).map(lambda ago_s: NOW - timedelta(seconds=ago_s)),
        is_stopped=st.booleans(),
    ),
    max_size=5,
).map(lambda ended: tuple(sorted(ended, key=lambda trade: trade.ended_at)))


@st.composite
def states(draw: st.DrawFn) -> RiskState:
    base = RiskState(
        account_state=draw(trading_states),
        user_state=draw(trading_states),
        tenant_state=draw(trading_states),
        entries_open_at=draw(st.sampled_from([None, OPEN, NOW + timedelta(seconds=1)])),
        entries_close_at=draw(st.sampled_from([None, SQUARE_OFF, NOW])),
        pnl=NetPnl(
            realized=Decimal(draw(st.integers(-(10**6), 10**6))),
            unrealized=Decimal(draw(st.integers(-(10**6), 10**6))),
            charges=Decimal(draw(st.integers(-(10**3), 10**4))),
        ),
        entries_this_second=draw(st.integers(0, 12)),
        quotes=draw(
            st.sampled_from(
                [{}, {i.instrument_id: quote(instrument=i, age_s=age) for i in (CALL, PUT) for age in (1,)}]
            )
        ),
        unknown_instruments=draw(st.sampled_from([frozenset(), frozenset({CALL.instrument_id})])),
        entries_today=draw(st.integers(0, 6)),
        live_exits=draw(st.sampled_from([frozenset(), frozenset({(CALL.instrument_id, Side.BUY)})])),
        ended_trades=draw(trades),
        funds=draw(st.none() | funds),
    )
    return holding(draw(st.integers(-10, 10)) * 65, base=base)


@st.composite
def easy_states(draw: st.DrawFn) -> RiskState:
    """Accounts that are allowed to trade, with whatever else."""
    state = draw(states())
    return replace(
        state,
        account_state=TradingState.ACTIVE,
        user_state=TradingState.ACTIVE,
        tenant_state=TradingState.ACTIVE,
        entries_open_at=OPEN,
        entries_close_at=SQUARE_OFF,
        entries_this_second=0,
        entries_today=0,
        ended_trades=(),
        pnl=NetPnl(),
        unknown_instruments=frozenset(),
        quotes={i.instrument_id: quote(instrument=i) for i in (CALL, PUT)},
    )


entries = st.builds(
    intent,
    side=st.sampled_from(Side),
    quantity=st.integers(1, 30).map(lambda n: n * 65),
    price=st.sampled_from(["97", "100", "119", "150"]),
)


@given(entries, st.one_of(states(), easy_states()), limits)
def test_an_entry_passes_exactly_when_every_rule_agrees(
    order: OrderIntent, state: RiskState, bounds: RiskLimits
) -> None:
    verdict = evaluate(order, state, limits=bounds, now=NOW)

    case = Case(intent=order, state=state, limits=bounds, now=NOW)
    refusals = [refusal for rule in ENTRY_RULES if (refusal := rule(case))]
    assert isinstance(verdict, Approved) == (refusals == [])
    if isinstance(verdict, Denied):
        assert (verdict.code, verdict.message) == (refusals[0].code, refusals[0].message)


ways_out = st.builds(
    intent,
    side=st.sampled_from(Side),
    quantity=st.integers(1, 12).map(lambda n: n * 65),
    role=st.sampled_from([OrderRole.STOP, OrderRole.EXIT]),
)


@given(ways_out, states(), limits)
def test_an_exit_passes_exactly_when_it_reduces(
    order: OrderIntent, state: RiskState, bounds: RiskLimits
) -> None:
    net_qty = state.positions[0].net_qty

    verdict = evaluate(order, state, limits=bounds, now=NOW)

    after = net_qty + order.side.sign * order.quantity
    assert isinstance(verdict, Approved) == (abs(after) < abs(net_qty) and after * net_qty >= 0)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), easy_states(), limits)
def test_the_engine_never_goes_beyond_the_limits(
    sizes: list[int], state: RiskState, bounds: RiskLimits
) -> None:
    signals = [
        enter(signal_leg(lots=size), signal_leg(PUT, lots=size), key=f"{n}") for n, size in enumerate(sizes)
    ]

    decision = decide(
        signals,
        deployment(),
        limits=bounds,
        market=market(),
        risk_state=state,
        now=NOW,
        valid_until=NOW + timedelta(seconds=1),
    )

    after = decision.risk_state
    assert after is not None
    assert len(after.live_entries) == len(decision.approved)
    if decision.approved:
        assert after.notional <= bounds.max_account_notional
        assert after.entries_this_second <= bounds.max_entries_per_second
        assert len(after.exposed_instruments) <= bounds.max_open_positions
        assert after.entries_today <= (bounds.max_orders_per_day or 10**9)
        assert len(after.live_entries) <= (bounds.max_open_orders or 10**9)
        assert after.notional <= (bounds.max_underlying_notional or 10**9)  # all of it on NIFTY
        if bounds.margin_check is MarginCheck.ON:
            assert after.funds is not None
            assert after.funds.left is not None
            assert after.funds.left >= 0
    whole = {approved.value.signal_key for approved in decision.approved}
    assert whole.isdisjoint(denied.intent.signal_key for denied in decision.denied)
    ids = [a.value.client_order_id for a in decision.approved] + [
        d.intent.client_order_id for d in decision.denied
    ]
    assert len(set(ids)) == len(ids)


@given(
    st.lists(
        st.tuples(st.integers(1, 50), st.text(), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
        unique=True,
    )
)
def test_client_order_ids_do_not_collide_and_fit(keys: list[tuple[int, str, int, int, int]]) -> None:
    ids: set[ClientOrderId] = {
        client_order_id(DeploymentId(number), SignalKey(key), leg=leg, attempt=attempt, part=part)
        for number, key, leg, attempt, part in keys
    }

    assert len(ids) == len(keys)
    assert all(len(one) == 18 and "-" not in one for one in ids)


@given(entries, easy_states(), limits, limits)
def test_what_two_sets_together_let_through_each_of_them_does(
    order: OrderIntent, state: RiskState, own: RiskLimits, wider: RiskLimits
) -> None:
    joined = limits_in_force(own, [wider.named])

    if isinstance(evaluate(order, state, limits=joined, now=NOW), Approved):
        assert isinstance(evaluate(order, state, limits=own, now=NOW), Approved)
        assert isinstance(evaluate(order, state, limits=wider, now=NOW), Approved)


@given(entries, easy_states(), limits, st.integers(0, 10**7))
def test_more_money_never_denies_more(
    order: OrderIntent, state: RiskState, bounds: RiskLimits, more: int
) -> None:
    if state.funds is None or isinstance(evaluate(order, state, limits=bounds, now=NOW), Denied):
        return
    money = replace(state.funds.available, amount=state.funds.available.amount + more)
    richer = replace(state, funds=replace(state.funds, available=money))

    assert isinstance(evaluate(order, richer, limits=bounds, now=NOW), Approved)


@given(limits, limits)
def test_no_scope_loosens_and_the_order_of_scopes_does_not_matter(one: RiskLimits, other: RiskLimits) -> None:
    joined = strictest([one.named, other.named])

    assert loosened(one.named, joined) == loosened(other.named, joined) == []
    turned = strictest([other.named, one.named])
    assert loosened(joined, turned) == loosened(turned, joined) == []
