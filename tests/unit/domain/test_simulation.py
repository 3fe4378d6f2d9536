"""Check what other limits would have denied of a day that happened."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from app.domain.ids import ClientOrderId, DeploymentId, SignalKey
from app.domain.instruments import Instrument
from app.domain.orders import Side
from app.domain.risk.limits import RiskLimits
from app.domain.risk.rules import DenialCode
from app.domain.risk.simulation import PastEntry, simulate
from app.domain.risk.trades import TradeFill
from tests.builders import CALL, DEPLOYMENT_ID, NOW, PUT, intent, quote


def at(second: float) -> datetime:
    return NOW + timedelta(seconds=second)


def entry(
    key: str,
    second: float,
    *,
    instrument: Instrument = CALL,
    leg: int = 0,
    side: Side = Side.SELL,
    lots: int = 1,
    ended: float | None = None,
) -> PastEntry:
    order = intent(side=side, quantity=65 * lots, leg=leg, instrument=instrument)
    order = replace(order, client_order_id=ClientOrderId(f"{key}/{leg}"), signal_key=SignalKey(key))
    return PastEntry(
        intent=order,
        quote=quote(instrument=instrument),
        at=at(second),
        ended_at=None if ended is None else at(ended),
    )


def filled(past: PastEntry, second: float, *, price: str = "97") -> TradeFill:
    order = past.intent
    return TradeFill(
        deployment_id=order.deployment_id,
        instrument_id=order.instrument_id,
        side=order.side,
        quantity=order.quantity,
        price=Decimal(price),
        at=at(second),
        is_stop=False,
        entry_id=order.client_order_id,
    )


def closed(past: PastEntry, second: float, *, price: str = "97", is_stop: bool = False) -> TradeFill:
    opened = filled(past, second, price=price)
    return replace(opened, side=past.intent.side.opposite, entry_id=None, is_stop=is_stop)


def denied(
    entries: list[PastEntry], fills: list[TradeFill], **limits: object
) -> list[tuple[str, DenialCode]]:
    bounds = {DEPLOYMENT_ID: RiskLimits.from_mapping(limits)}
    result = simulate(entries, fills, bounds)
    return [(past.intent.client_order_id, past.code) for past in result.denied]


FIRST, SECOND = entry("a", 0, ended=1), entry("b", 60, instrument=PUT, lots=2, ended=61)
DAY = [FIRST, SECOND]
FILLS = [filled(FIRST, 1), filled(SECOND, 61)]


def test_the_limits_that_were_in_force_deny_nothing_again() -> None:
    result = simulate(DAY, FILLS, {DEPLOYMENT_ID: RiskLimits()})

    assert (result.judged, result.unjudged, result.denied) == (2, 0, ())


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"max_lots": 1}, [("b/0", DenialCode.QUANTITY)]),
        ({"max_order_notional": 65 * 97}, [("b/0", DenialCode.ORDER_NOTIONAL)]),
        ({"max_account_notional": 65 * 97 * 3 - 1}, [("b/0", DenialCode.ACCOUNT_NOTIONAL)]),
        ({"max_underlying_notional": 65 * 97 * 3 - 1}, [("b/0", DenialCode.UNDERLYING_NOTIONAL)]),
        ({"max_account_notional": 65 * 97 * 3}, []),
        ({"max_open_positions": 1}, [("b/0", DenialCode.OPEN_POSITIONS)]),
        ({"max_orders_per_day": 1}, [("b/0", DenialCode.ORDERS_PER_DAY)]),
        ({"denied_symbols": str(PUT.instrument_id)}, [("b/0", DenialCode.SYMBOL)]),
        ({"price_band_fraction": "0.02"}, [("a/0", DenialCode.PRICE_BAND), ("b/0", DenialCode.PRICE_BAND)]),
    ],
)
def test_a_tighter_set_denies_with_the_code_of_the_gate(
    limits: dict[str, object], expected: list[tuple[str, DenialCode]]
) -> None:
    assert denied(DAY, FILLS, **limits) == expected


def test_one_denied_leg_takes_its_whole_signal_along() -> None:
    straddle = [entry("a", 0), entry("a", 0, instrument=PUT, leg=1, lots=3)]

    assert denied(straddle, [], max_lots=2) == [("a/0", DenialCode.OTHER_LEG), ("a/1", DenialCode.QUANTITY)]


def test_what_would_have_been_denied_takes_no_room_from_later_entries() -> None:
    small = entry("c", 120, ended=121)

    fills = [*FILLS, closed(SECOND, 100), filled(small, 121)]

    assert denied([FIRST, SECOND, small], fills, max_lots=1, max_account_notional=65 * 97 * 2) == [
        ("b/0", DenialCode.QUANTITY)
    ]


def test_an_ended_entry_and_a_closed_position_free_their_room() -> None:
    unfilled, later = entry("a", 0, ended=5), entry("b", 60, instrument=PUT)
    held = entry("a", 0, ended=1)

    assert denied([unfilled, later], [], max_open_positions=1) == []
    assert denied([replace(unfilled, ended_at=None), later], [], max_open_positions=1) != []
    assert denied([held, later], [filled(held, 1), closed(held, 59)], max_open_positions=1) == []
    assert denied([held, later], [filled(held, 1)], max_open_positions=1) != []


def test_what_filled_of_a_live_entry_counts_once() -> None:
    live, later = entry("a", 0, lots=2), entry("b", 60, instrument=PUT)
    half = replace(filled(live, 1), quantity=Decimal(65))

    assert denied([live, later], [half], max_account_notional=65 * 97 * 3) == []
    assert denied([live, later], [half], max_account_notional=65 * 97 * 3 - 1) != []


def test_entries_within_one_second_are_counted() -> None:
    burst = [entry("a", 0), entry("b", 0.5), entry("c", 1)]

    assert denied(burst, [], max_entries_per_second=1) == [("b/0", DenialCode.ORDER_RATE)]


def test_cooldown_and_pauses_follow_from_the_trades_of_the_day() -> None:
    again = entry("c", 100)
    fills = [filled(FIRST, 1), closed(FIRST, 50, price="130", is_stop=True)]

    assert denied([FIRST, again], fills, cooldown_s=51) == [("c/0", DenialCode.COOLDOWN)]
    assert denied([FIRST, again], fills, cooldown_s=50) == []
    assert denied([FIRST, again], fills, max_stops=1) == [("c/0", DenialCode.STOP_GUARD)]
    assert denied([FIRST, again], fills, max_daily_loss=65 * 33) == [("c/0", DenialCode.DAILY_LOSS)]
    assert denied([FIRST, again], fills, max_daily_loss=65 * 33 + 1) == []


def test_an_exit_of_a_trade_that_would_not_have_been_opens_nothing() -> None:
    again = entry("c", 100, lots=1)
    fills = [filled(SECOND, 61), closed(SECOND, 70, price="130", is_stop=True)]

    assert denied([SECOND, again], fills, max_lots=1, max_stops=1, max_open_positions=1) == [
        ("b/0", DenialCode.QUANTITY)
    ]


def test_an_entry_without_its_price_is_counted_and_not_judged() -> None:
    blind = replace(FIRST, quote=None)

    result = simulate([blind, SECOND], [], {DEPLOYMENT_ID: RiskLimits(max_lots=Decimal(1))})

    assert (result.judged, result.unjudged) == (1, 1)
    assert [past.intent.client_order_id for past in result.denied] == ["b/0"]


def test_every_deployment_is_judged_by_its_own_limits() -> None:
    other = replace(FIRST, intent=replace(FIRST.intent, deployment_id=DeploymentId(8)))
    limits = {DEPLOYMENT_ID: RiskLimits(), DeploymentId(8): RiskLimits(max_order_notional=Decimal(1))}

    result = simulate([FIRST, replace(other, at=at(2))], [], limits)

    assert [past.intent.deployment_id for past in result.denied] == [8]
