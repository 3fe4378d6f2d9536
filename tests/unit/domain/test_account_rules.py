"""Check the rules on what an account may trade, how much, how often, and how soon after a stop."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from app.domain.accounts import BrokerCode
from app.domain.ids import ClientOrderId, DeploymentId, InstrumentId, SignalKey
from app.domain.instruments import underlying_of
from app.domain.orders import OrderIntent, OrderRole, Side
from app.domain.risk.gate import Denied, evaluate
from app.domain.risk.limits import RiskLimits
from app.domain.risk.rules import DenialCode
from app.domain.risk.state import RiskState
from app.domain.risk.trades import EndedTrade
from tests.builders import CALL, DEPLOYMENT_ID, NOW, PERPETUAL, PUT, at_ease, holding, intent, quote

NO_LIMITS = RiskLimits()


def denial(order: OrderIntent, state: RiskState, limits: RiskLimits = NO_LIMITS) -> DenialCode | None:
    verdict = evaluate(order, state, limits=limits, now=NOW)
    return verdict.code if isinstance(verdict, Denied) else None


def live(order: OrderIntent) -> RiskState:
    other = replace(order, client_order_id=ClientOrderId("another"), signal_key=SignalKey("another"))
    return at_ease().after(other)


@pytest.mark.parametrize(
    ("instrument_id", "underlying"),
    [
        (CALL.instrument_id, "NIFTY.NSE"),
        ("NIFTY-20190103-10850.5-PE.NSE", "NIFTY.NSE"),
        ("BAJAJ-AUTO-20190131-2700-CE.NSE", "BAJAJ-AUTO.NSE"),
        (PERPETUAL.instrument_id, "BTCUSDT.BINANCE"),
        ("BAJAJ-AUTO.NSE", "BAJAJ-AUTO.NSE"),
        ("EURUSD.MT5", "EURUSD.MT5"),
    ],
)
def test_the_underlying_follows_from_the_id(instrument_id: str, underlying: str) -> None:
    assert underlying_of(InstrumentId(instrument_id)) == underlying


@pytest.mark.parametrize("symbol", [CALL.instrument_id, CALL.instrument_id[:-4], "NIFTY.NSE", "NIFTY"])
def test_lists_name_an_instrument_or_its_underlying_with_or_without_venue(symbol: str) -> None:
    listed = frozenset({symbol})

    assert denial(intent(), at_ease(), RiskLimits(denied_symbols=listed)) is DenialCode.SYMBOL
    assert denial(intent(), at_ease(), RiskLimits(allowed_symbols=(listed,))) is None


def test_what_no_list_allows_is_denied_and_every_list_must_allow_it() -> None:
    nifty, banks = frozenset({"NIFTY"}), frozenset({"BANKNIFTY", "NIFTY-BANK"})

    assert denial(intent(), at_ease(), RiskLimits(allowed_symbols=(banks,))) is DenialCode.SYMBOL
    assert denial(intent(), at_ease(), RiskLimits(allowed_symbols=(nifty, banks))) is DenialCode.SYMBOL
    assert denial(intent(), at_ease(), RiskLimits(denied_symbols=banks)) is None


def test_denies_an_entry_that_the_account_could_trade_with_itself() -> None:
    buying = intent(side=Side.BUY, price="50")

    assert denial(intent(), live(buying)) is DenialCode.SELF_CROSS
    assert denial(intent(), live(replace(buying, deployment_id=DeploymentId(8)))) is DenialCode.SELF_CROSS
    assert denial(intent(), live(replace(buying, instrument_id=PUT.instrument_id))) is None
    assert denial(intent(), live(replace(intent(), deployment_id=DeploymentId(8)))) is None


def test_denies_an_entry_against_an_exit_that_works_at_the_venue() -> None:
    leaving = replace(at_ease(), live_exits=frozenset({(CALL.instrument_id, Side.BUY)}))

    assert denial(intent(), leaving) is DenialCode.SELF_CROSS
    assert denial(intent(side=Side.BUY), leaving) is None
    assert denial(intent(instrument=PUT), leaving) is None


def test_denies_the_other_direction_of_another_deployment_where_both_could_not_be_left() -> None:
    """SELL is refused while another one is long: its stop would have nothing that it could reduce."""
    short, long = (replace(holding(65 * sign), holds_one_way=True) for sign in (-1, 1))
    of_another = replace(long.positions[0], deployment_id=DeploymentId(8))
    other = replace(long, positions=(of_another,))

    assert denial(intent(), other) is DenialCode.OPPOSITE_POSITION
    assert denial(intent(side=Side.BUY), other) is None
    assert denial(intent(instrument=PUT), other) is None
    assert denial(intent(), replace(other, holds_one_way=False)) is None
    assert denial(intent(), replace(other, positions=(replace(of_another, net_qty=Decimal(0)),))) is None
    assert denial(intent(), short) is None
    assert denial(intent(), long) is None, "its own deployment's position"


def test_only_kotak_neo_lets_two_deployments_hold_opposite_directions() -> None:
    two_ways = {broker for broker in BrokerCode if not broker.holds_one_way}

    assert two_ways == {BrokerCode.KOTAK_NEO}


def test_never_holds_an_exit_against_a_live_entry() -> None:
    state = holding(65, base=live(intent(side=Side.BUY)))

    assert denial(intent(role=OrderRole.EXIT), state) is None


def test_the_notional_on_one_underlying_has_its_own_limit() -> None:
    both = holding(-65, base=live(intent(instrument=PUT, price="90")))  # 6500 held, 5850 reserved
    limits = RiskLimits(max_underlying_notional=Decimal(65 * (100 + 90 + 97)))
    tighter = replace(limits, max_underlying_notional=limits.max_underlying_notional - Decimal("0.01"))  # type: ignore[operator]  # set above

    assert denial(intent(), both, limits) is None
    assert denial(intent(), both, tighter) is DenialCode.UNDERLYING_NOTIONAL


def test_exposure_on_another_underlying_does_not_count() -> None:
    limits = RiskLimits(max_underlying_notional=Decimal(65 * 97))
    coins = replace(holding(-65), quotes={CALL.instrument_id: quote()})
    elsewhere = replace(
        coins, positions=(replace(coins.positions[0], instrument_id=PERPETUAL.instrument_id),)
    )

    assert denial(intent(), elsewhere, limits) is None


def test_denies_one_live_entry_too_many() -> None:
    one = live(intent(instrument=PUT))

    assert denial(intent(), one, RiskLimits(max_open_orders=Decimal(2))) is None
    assert denial(intent(), one, RiskLimits(max_open_orders=Decimal(1))) is DenialCode.OPEN_ORDERS


def test_denies_one_entry_of_the_day_too_many() -> None:
    limits = RiskLimits(max_orders_per_day=Decimal(3))

    assert denial(intent(), replace(at_ease(), entries_today=2), limits) is None
    assert denial(intent(), replace(at_ease(), entries_today=3), limits) is DenialCode.ORDERS_PER_DAY
    assert at_ease().after(intent()).entries_today == 1


def stopped(seconds_ago: float, *, of: int = DEPLOYMENT_ID, is_stopped: bool = True) -> EndedTrade:
    return EndedTrade(
        deployment_id=DeploymentId(of),
        instrument_id=PUT.instrument_id,
        pnl=Decimal(-10),
        ended_at=NOW - timedelta(seconds=seconds_ago),
        is_stopped=is_stopped,
    )


@pytest.mark.parametrize(
    ("trades", "expected"),
    [
        ((), None),
        ((stopped(60),), None),
        ((stopped(59.999999),), DenialCode.COOLDOWN),
        ((stopped(90), stopped(1), stopped(0.5, is_stopped=False)), DenialCode.COOLDOWN),
        ((stopped(1, is_stopped=False),), None),
        ((stopped(1, of=8),), None),
    ],
)
def test_a_deployment_cools_down_after_its_own_stop(
    trades: tuple[EndedTrade, ...], expected: DenialCode | None
) -> None:
    state = replace(at_ease(), ended_trades=trades)

    assert denial(intent(), state, RiskLimits(cooldown_s=Decimal(60))) is expected
    assert denial(intent(), state) is None
