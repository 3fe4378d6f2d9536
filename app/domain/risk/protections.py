"""Hold the entry rules that pause an account after trades that went wrong; exits go on.

Each looks at the trades that ended within `protection_window_s` before the end of a trade, that one
included; where they trip it, entries pause for `protection_pause_s` from that end on.
Source: the protections of freqtrade (StoplossGuard, MaxDrawdown, LowProfitPairs), read 2026-11.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import accumulate

from app.domain.numbers import ZERO
from app.domain.risk.rules import Case, DenialCode, Refusal
from app.domain.risk.trades import EndedTrade

_Trips = Callable[[Sequence[EndedTrade]], bool]


def stop_guard(case: Case) -> Refusal | None:
    """Refuse while the account pauses after several trades that were ended by their stops."""
    limit = case.limits.max_stops
    if limit is None:
        return None
    stopped = [trade for trade in case.state.ended_trades if trade.is_stopped]
    return _refuse_in_pause(case, DenialCode.STOP_GUARD, stopped, trips=lambda ended: len(ended) >= limit)


def losing_trades(case: Case) -> Refusal | None:
    """Refuse while the account pauses after several trades that lost money."""
    limit = case.limits.max_losing_trades
    if limit is None:
        return None
    lost = [trade for trade in case.state.ended_trades if trade.pnl < 0]
    return _refuse_in_pause(case, DenialCode.LOSING_TRADES, lost, trips=lambda ended: len(ended) >= limit)


def trade_drawdown(case: Case) -> Refusal | None:
    """Refuse while the account pauses after its ended trades fell too far from the peak of their profit."""
    limit, trades = case.limits.max_trade_drawdown, case.state.ended_trades
    if limit is None:
        return None
    return _refuse_in_pause(
        case, DenialCode.TRADE_DRAWDOWN, trades, trips=lambda ended: drawdown(ended) >= limit
    )


def low_profit(case: Case) -> Refusal | None:
    """Refuse an instrument that pauses after several trades in it that together earned nothing."""
    limit = case.limits.low_profit_trades
    if limit is None:
        return None
    own = [trade for trade in case.state.ended_trades if trade.instrument_id == case.intent.instrument_id]
    return _refuse_in_pause(
        case,
        DenialCode.LOW_PROFIT,
        own,
        trips=lambda ended: len(ended) >= limit and sum(trade.pnl for trade in ended) <= 0,
    )


def drawdown(trades: Sequence[EndedTrade]) -> Decimal:
    """Return how far the summed profit of trades ended below its peak; the sum starts at zero."""
    sums = list(accumulate((trade.pnl for trade in trades), initial=ZERO))
    return max(sums) - sums[-1]


def _refuse_in_pause(
    case: Case, code: DenialCode, trades: Sequence[EndedTrade], *, trips: _Trips
) -> Refusal | None:
    window = timedelta(seconds=float(case.limits.protection_window_s))
    pause = timedelta(seconds=float(case.limits.protection_pause_s))
    tripped = [
        last.ended_at
        for last in trades
        if case.now < last.ended_at + pause
        and trips([one for one in trades if last.ended_at - window < one.ended_at <= last.ended_at])
    ]
    if not tripped:
        return None
    until = max(tripped) + pause
    return case.refuse(code, f"expected a time from {until:%H:%M:%S}Z on, got {case.now:%H:%M:%S}Z")
