"""Check the pauses after trades that went wrong."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from app.domain.orders import OrderRole
from app.domain.risk.gate import Approved, Denied, evaluate
from app.domain.risk.limits import RiskLimits
from app.domain.risk.protections import drawdown
from app.domain.risk.rules import DenialCode
from app.domain.risk.trades import EndedTrade
from tests.builders import CALL, DEPLOYMENT_ID, NOW, PUT, at_ease, holding, intent

WINDOW, PAUSE = 600, 300
BOUNDS = RiskLimits(protection_window_s=Decimal(WINDOW), protection_pause_s=Decimal(PAUSE))
NAMES = {
    DenialCode.STOP_GUARD: "max_stops",
    DenialCode.LOSING_TRADES: "max_losing_trades",
    DenialCode.TRADE_DRAWDOWN: "max_trade_drawdown",
    DenialCode.LOW_PROFIT: "low_profit_trades",
}


def ended(ago_s: float, pnl: int = -10, *, is_stopped: bool = False, instrument: object = CALL) -> EndedTrade:
    return EndedTrade(
        deployment_id=DEPLOYMENT_ID,
        instrument_id=CALL.instrument_id if instrument is CALL else PUT.instrument_id,
        pnl=Decimal(pnl),
        ended_at=NOW - timedelta(seconds=ago_s),
        is_stopped=is_stopped,
    )


def denial(trades: tuple[EndedTrade, ...], limits: RiskLimits) -> DenialCode | None:
    state = replace(at_ease(), ended_trades=tuple(sorted(trades, key=lambda trade: trade.ended_at)))
    verdict = evaluate(intent(), state, limits=limits, now=NOW)
    return verdict.code if isinstance(verdict, Denied) else None


def bound(code: DenialCode, limit: int) -> RiskLimits:
    return replace(BOUNDS, **{NAMES[code]: Decimal(limit)})  # type: ignore[arg-type]  # by name


STOPS = (ended(100, is_stopped=True), ended(200, is_stopped=True))
LOSSES = (ended(100), ended(200))


@pytest.mark.parametrize(
    ("code", "trades", "tripping", "passing"),
    [
        (DenialCode.STOP_GUARD, STOPS, 2, 3),
        (DenialCode.LOSING_TRADES, LOSSES, 2, 3),
        (DenialCode.TRADE_DRAWDOWN, LOSSES, 20, 21),
        (DenialCode.LOW_PROFIT, LOSSES, 2, 3),
    ],
)
def test_a_protection_trips_at_its_limit_and_not_before(
    code: DenialCode, trades: tuple[EndedTrade, ...], tripping: int, passing: int
) -> None:
    assert denial(trades, bound(code, tripping)) is code
    assert denial(trades, bound(code, passing)) is None
    assert denial(trades, BOUNDS) is None


@pytest.mark.parametrize("code", NAMES)
def test_the_pause_ends_by_itself_and_counts_from_the_last_trade(code: DenialCode) -> None:
    limits = bound(code, 20 if code is DenialCode.TRADE_DRAWDOWN else 2)

    def trades(last_ago_s: float) -> tuple[EndedTrade, ...]:
        return (ended(last_ago_s + 50, is_stopped=True), ended(last_ago_s, is_stopped=True))

    assert denial(trades(PAUSE - 0.001), limits) is code
    assert denial(trades(PAUSE), limits) is None


@pytest.mark.parametrize("code", NAMES)
def test_only_trades_within_the_window_count_together(code: DenialCode) -> None:
    limits = bound(code, 20 if code is DenialCode.TRADE_DRAWDOWN else 2)

    def trades(apart_s: float) -> tuple[EndedTrade, ...]:
        return (ended(10 + apart_s, is_stopped=True), ended(10, is_stopped=True))

    assert denial(trades(WINDOW - 0.001), limits) is code
    assert denial(trades(WINDOW), limits) is None


def test_a_later_good_trade_does_not_end_the_pause_of_the_stop_guard() -> None:
    assert denial((*STOPS, ended(1, 500)), bound(DenialCode.STOP_GUARD, 2)) is DenialCode.STOP_GUARD


def test_wins_are_no_losses_and_other_exits_no_stops() -> None:
    assert denial((ended(1), ended(2, 0), ended(3, 5)), bound(DenialCode.LOSING_TRADES, 2)) is None
    assert denial((ended(1), ended(2, is_stopped=True)), bound(DenialCode.STOP_GUARD, 2)) is None


def test_low_profit_pauses_the_instrument_only_and_not_when_it_earned() -> None:
    limits = bound(DenialCode.LOW_PROFIT, 2)

    assert denial((ended(1, -10), ended(2, 10)), limits) is DenialCode.LOW_PROFIT
    assert denial((ended(1, -10), ended(2, 11)), limits) is None
    assert denial((ended(1, instrument=PUT), ended(2, instrument=PUT)), limits) is None


def test_drawdown_counts_from_the_peak_with_zero_as_the_first() -> None:
    assert drawdown([]) == 0
    assert drawdown([ended(3, 100), ended(2, -30), ended(1, -20)]) == 50
    assert drawdown([ended(3, -30), ended(2, 10)]) == 20
    assert drawdown([ended(3, -30), ended(2, 40)]) == 0


def test_no_pause_holds_back_an_exit() -> None:
    state = replace(holding(65), ended_trades=STOPS)
    limits = replace(
        BOUNDS,
        max_stops=Decimal(1),
        max_losing_trades=Decimal(1),
        max_trade_drawdown=Decimal(1),
        low_profit_trades=Decimal(1),
        cooldown_s=Decimal(10**6),
    )

    assert isinstance(evaluate(intent(), state, limits=limits, now=NOW), Denied)
    assert isinstance(evaluate(intent(role=OrderRole.EXIT), state, limits=limits, now=NOW), Approved)
