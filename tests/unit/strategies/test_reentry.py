"""A stopped side of the straddle is sold again by its rule, as often as told, and never twice at once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain.errors import InvalidInputError
from app.domain.ids import InstrumentId
from app.domain.orders import Side
from app.domain.signals import Signal
from app.domain.strategy import LegView
from strategies.registry import load_registry
from strategies.short_straddle import ShortStraddle, ShortStraddleParams
from tests.unit.strategies.views import leg, tick_event, view

AT = timedelta(hours=2)
DAY = "2019-01-02:straddle:"
ENTRY, AGAIN = f"{DAY}entry", f"{DAY}again-CE-1"
CE, PE = "NIFTY-20190103-10850-CE.NSE", "NIFTY-20190103-10850-PE.NSE"
PRICE = view(at=AT).market.tick(InstrumentId(CE)).last  # type: ignore[union-attr]  # every contract has one


def stopped(instrument_id: str = CE, *, entry_px: Decimal = PRICE, **changes: Any) -> LegView:
    """A leg of one lot that its stop took out."""
    return replace(leg(instrument_id, 0), is_stopped=True, entry_px=entry_px, **changes)


def ask(*legs: LegView, emitted: Sequence[str] = (), at: timedelta = AT, **params: Any) -> Sequence[Signal]:
    shown = view(at=at, emitted=[ENTRY, *emitted], legs=legs or (stopped(), leg(PE, -65)))
    return ShortStraddle(ShortStraddleParams(**params)).on_event(tick_event(at), shown)


def test_sells_again_at_once_at_the_money() -> None:
    far = "NIFTY-20190103-10900-CE.NSE"
    (signal,) = ask(stopped(far), leg(PE, -65), reentry="asap")

    assert (signal.key, signal.legs[0].instrument_id) == (AGAIN, CE)
    assert (signal.legs[0].side, signal.legs[0].lots) == (Side.SELL, 1)
    assert signal.legs[0].protection is not None
    assert signal.legs[0].protection.stop_fraction == Decimal("0.25")


@pytest.mark.parametrize(("above", "is_sold"), [("0", True), ("-0.05", False), ("0.05", True)])
def test_sells_the_same_contract_again_at_its_first_price_or_below(above: str, *, is_sold: bool) -> None:
    back = stopped(entry_px=PRICE + Decimal(above))

    assert bool(ask(back, leg(PE, -65), reentry="cost")) is is_sold


def test_the_stop_of_a_re_entry_lies_its_fraction_above_its_own_price() -> None:
    first = PRICE + 20
    (signal,) = ask(stopped(entry_px=first), leg(PE, -65), reentry="cost", trail_fraction="0.2")

    (sold,) = signal.legs
    assert sold.protection is not None
    average = (first + PRICE) / 2
    assert abs(average * (1 + sold.protection.stop_fraction) - PRICE * Decimal("1.25")) < Decimal("0.001")
    assert sold.protection.exits is not None


@pytest.mark.parametrize("rule", ["cost", "asap"])
def test_waits_for_its_last_sale_and_stops_at_its_count(rule: str) -> None:
    twice = stopped(entry_qty=Decimal(130))
    told: dict[str, Any] = {"reentry": rule, "max_reentries": 2}

    assert not ask(stopped(), leg(PE, -65), emitted=[AGAIN], **told), "the first one is not filled yet"
    (second,) = ask(twice, leg(PE, -65), emitted=[AGAIN], **told)
    assert second.key == f"{DAY}again-CE-2"
    assert not ask(twice, leg(PE, -65), emitted=[AGAIN], reentry=rule), "once is the default"


def test_both_sides_may_come_back() -> None:
    keys = [signal.key for signal in ask(stopped(), stopped(PE), reentry="asap")]

    assert keys == [AGAIN, f"{DAY}again-PE-1"]


@pytest.mark.parametrize(
    "left",
    [
        leg(CE, -65),
        leg(CE, 0),
        stopped(exit_reason="target"),
        stopped(exit_reason="square_off"),
        stopped(entry_qty=Decimal(30)),
        replace(stopped(), net_qty=Decimal(-65)),
    ],
)
def test_sells_nothing_again_that_no_stop_took_out_whole(left: LegView) -> None:
    assert not ask(left, leg(PE, -65), reentry="asap")


def test_sells_nothing_again_unless_told_or_too_late_or_after_the_exit_time() -> None:
    assert not ask()
    assert not ask(reentry="asap", last_reentry_offset_s=7199)
    assert ask(reentry="asap", last_reentry_offset_s=7200)
    assert not ask(stopped(), stopped(PE), reentry="asap", exit_offset_s=7200)


def test_a_side_whose_entry_never_filled_keeps_the_other_from_coming_back() -> None:
    early = timedelta(seconds=400)
    assert not ask(stopped(), leg(PE, 0, entry_qty=0), at=early, reentry="asap")


def test_a_hedged_straddle_has_no_re_entry() -> None:
    with pytest.raises(InvalidInputError, match="bought once"):
        load_registry().validate("short_straddle", {"hedge_points": 200, "reentry": "cost"})
