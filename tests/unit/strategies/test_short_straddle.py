"""The straddle sells both legs at its time, once, and leaves by its own rules."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain.ids import InstrumentId
from app.domain.orders import Side
from app.domain.signals import Signal, SignalKind
from app.domain.strategy import StrategyView
from strategies.short_straddle import ShortStraddle, ShortStraddleParams
from tests.nifty_day import DAY, chain
from tests.unit.strategies.views import OPEN, bar_event, leg, tick_event, view

ENTRY = timedelta(seconds=300)
ENTRY_KEY = "2019-01-02:straddle:entry"
CE, PE = "NIFTY-20190103-10850-CE.NSE", "NIFTY-20190103-10850-PE.NSE"


def ask(view: StrategyView, **params: Any) -> Sequence[Signal]:
    strategy = ShortStraddle(ShortStraddleParams(**params))
    return strategy.on_event(tick_event(view.now - OPEN), view)


def strikes(signals: Sequence[Signal]) -> list[str]:
    return [leg.instrument_id for signal in signals for leg in signal.legs]


def test_sells_the_call_and_the_put_next_to_the_index_at_its_time() -> None:
    (signal,) = ask(view(at=ENTRY), lots=2)

    assert (signal.key, signal.kind) == (ENTRY_KEY, SignalKind.ENTER)
    assert strikes([signal]) == [CE, PE]
    assert {(leg.side, leg.lots) for leg in signal.legs} == {(Side.SELL, 2)}
    assert {leg.protection.stop_fraction for leg in signal.legs if leg.protection} == {Decimal("0.25")}
    assert all(leg.reference_price > 0 for leg in signal.legs)


def test_hedges_by_buying_further_out_without_a_stop() -> None:
    (signal,) = ask(view(at=ENTRY), hedge_points=200)

    sold = [leg.instrument_id for leg in signal.legs if leg.side is Side.SELL and leg.protection]
    hedges = [leg for leg in signal.legs if leg.is_hedge]
    assert sold == [CE, PE]
    assert {leg.instrument_id for leg in hedges} == {
        CE.replace("10850", "11050"),
        PE.replace("10850", "10650"),
    }
    assert {(leg.side, leg.protection) for leg in hedges} == {(Side.BUY, None)}


def test_sells_nothing_where_its_hedge_is_not_listed() -> None:
    assert ask(view(at=ENTRY), hedge_points=4950) == ()


@pytest.mark.parametrize(("after_s", "is_sold"), [(299, False), (300, True), (600, True), (601, False)])
def test_sells_inside_its_window_only(after_s: int, *, is_sold: bool) -> None:
    assert bool(ask(view(at=timedelta(seconds=after_s)))) is is_sold


def test_a_bell_straddle_sells_on_the_first_tick_of_the_session() -> None:
    assert ask(view(at=timedelta(0)), entry_offset_s=0)


def test_a_price_of_the_pre_open_is_no_price_of_the_session() -> None:
    assert not ask(view(at=timedelta(0), tick_at=OPEN - timedelta(minutes=8)), entry_offset_s=0)


def test_sells_once_a_day() -> None:
    assert not ask(view(at=ENTRY, emitted=[ENTRY_KEY]))


@pytest.mark.parametrize(
    ("spot", "strike"), [("10874.95", 10850), ("10875", 10900), ("10825", 10850), ("10824.95", 10800)]
)
def test_rounds_the_strike_half_up(spot: str, strike: int) -> None:
    assert strikes(ask(view(at=ENTRY, spot=spot)))[0] == f"NIFTY-20190103-{strike}-CE.NSE"


def test_reads_the_strike_step_from_the_contracts() -> None:
    wide = chain([date(2019, 1, 3)], range(10000, 12000, 100))

    assert strikes(ask(view(at=ENTRY, instruments=wide)))[0] == "NIFTY-20190103-10900-CE.NSE"


@pytest.mark.parametrize(("avoid", "expiry"), [(False, "20190103"), (True, "20190110")])
def test_avoids_the_expiry_day_only_when_told(*, avoid: bool, expiry: str) -> None:
    on_expiry = view(at=ENTRY, day=date(2019, 1, 3))

    (signal,) = ShortStraddle(ShortStraddleParams(avoid_expiry=avoid)).on_event(tick_event(ENTRY), on_expiry)

    assert strikes([signal])[0].startswith(f"NIFTY-{expiry}-")


def test_an_expired_contract_in_the_master_is_never_sold() -> None:
    listed = chain([date(2019, 1, 1), date(2019, 1, 10)])

    assert strikes(ask(view(at=ENTRY, instruments=listed)))[0].startswith("NIFTY-20190110-")


@pytest.mark.parametrize("missing", ["NIFTY.NSE", CE, PE])
def test_waits_while_a_price_is_missing(missing: str) -> None:
    assert not ask(view(at=ENTRY, missing=[InstrumentId(missing)]))


def test_never_sells_one_leg_when_the_master_lacks_the_other() -> None:
    listed = [i for i in chain([date(2019, 1, 3)]) if i.instrument_id != PE]

    assert not ask(view(at=ENTRY, instruments=listed))


def test_leaves_at_its_exit_time_once() -> None:
    legs = [leg(CE, -65), leg(PE, -65)]
    late = timedelta(hours=5)

    (signal,) = ask(view(at=late, emitted=[ENTRY_KEY], legs=legs), exit_offset_s=18_000)

    assert (signal.kind, signal.instrument_id) == (SignalKind.EXIT, None)
    assert not ask(view(at=late, emitted=[ENTRY_KEY, signal.key], legs=legs), exit_offset_s=18_000)
    assert not ask(view(at=late, emitted=[ENTRY_KEY], legs=legs))


def test_closes_a_single_leg_after_the_window() -> None:
    legs = [leg(CE, -65), leg(PE, 0, entry_qty=0)]

    assert not ask(view(at=ENTRY + ENTRY, emitted=[ENTRY_KEY], legs=legs))
    (signal,) = ask(view(at=timedelta(seconds=601), emitted=[ENTRY_KEY], legs=legs))
    assert signal.kind is SignalKind.EXIT


def test_a_leg_that_was_stopped_leaves_the_other_alone() -> None:
    legs = [leg(CE, -65), leg(PE, 0)]

    assert not ask(view(at=timedelta(hours=2), emitted=[ENTRY_KEY], legs=legs))


def test_bars_and_fills_are_none_of_its_business() -> None:
    strategy = ShortStraddle(ShortStraddleParams())

    assert not strategy.indicator_needs()
    assert not strategy.on_event(bar_event(ENTRY, "10860"), view(at=ENTRY))
    assert DAY.isoformat() in ENTRY_KEY
