"""Prove that the legs of a signal are entered hedges first, and together or not at all."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from app.db.controls import request_exits
from app.db.models import OrderRow, SignalRow
from app.db.scope import DataScope
from app.db.views.trading import read_legs_of_signal
from app.domain.baskets import BasketResult
from app.domain.ids import OrderId
from app.domain.orders import OrderRole, OrderStatus
from app.domain.risk.rules import DenialCode
from app.domain.signals import Signal, WhenUnfilled
from app.infra.names import RunKind
from tests.integration.order_path.desk import TODAY, Desk

ALL = (RunKind.ENTRIES, RunKind.EXITS, RunKind.BOOKS)
_S = OrderStatus


def _wish(desk: Desk, signal: Signal) -> None:
    """Record a wish of the first customer."""
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(signal, loop, desk.deployments[:1])


def _entries(desk: Desk, **where: object) -> Sequence[OrderRow]:
    return desk.orders(role=OrderRole.ENTRY, **where)


def _result(desk: Desk, key: str = "entry") -> str | None:
    with desk.database.begin() as session:
        return session.scalar(select(SignalRow.result).where(SignalRow.key == key))


def _placed(desk: Desk) -> list[str]:
    return sorted(order["tag"] for order in desk.broker.get("orders"))


def _reprice(desk: Desk, factor: str, **where: object) -> None:
    """Move the limits of entries that wait, so that they rest at the broker."""
    with desk.database.begin() as session:
        for order in session.scalars(select(OrderRow).filter_by(role=OrderRole.ENTRY, **where)):
            assert order.price is not None
            order.price = (order.price * Decimal(factor) / 5).quantize(Decimal("0.01")) * 5


def _assert_flat(desk: Desk) -> None:
    assert all(position["net"] == 0 for position in desk.broker.get("positions"))
    assert not [o for o in desk.orders() if not OrderStatus(o.status).is_terminal]


def test_sells_nothing_before_every_wing_is_bought(desk: Desk) -> None:
    _wish(desk, desk.condor("entry"))
    with desk.running(*ALL):
        desk.wait_for(lambda: _result(desk) == BasketResult.COMPLETE)
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=_S.ACCEPTED) == 2)
        desk.wait_for(lambda: all(leg.exposed_since is None for leg in desk.legs()))

    bought = [order.ended_wall for order in _entries(desk, is_hedge=True) if order.ended_wall]
    sold = [order.submitted_wall for order in _entries(desk, is_hedge=False) if order.submitted_wall]
    assert max(bought) < min(sold)
    assert len(_placed(desk)) == 6, "four entries, a stop of each leg that was sold"


def test_a_wing_that_the_broker_rejects_lets_nothing_be_sold_and_the_other_is_closed(desk: Desk) -> None:
    desk.broker.post(
        "faults", {"faults": [{"kind": "rms_reject", "rate": 1.0, "endpoint": "place", "count": 1}]}
    )
    _wish(desk, desk.condor("entry"))
    with desk.running(*ALL):
        desk.wait_for(lambda: _result(desk) == BasketResult.UNWOUND)

    _assert_flat(desk)
    assert sorted(o.status for o in _entries(desk, is_hedge=True)) == [_S.FILLED, _S.REJECTED]
    assert {o.denial_code for o in _entries(desk, is_hedge=False)} == {DenialCode.HEDGE_NOT_FILLED}
    assert not {o.client_order_id for o in _entries(desk, is_hedge=False)} & set(_placed(desk))
    with desk.database.begin() as session:
        legs = read_legs_of_signal(session, DataScope(user_id=None), OrderId(_entries(desk)[0].id))
    assert [(leg.withheld, leg.filled_qty, leg.net_qty, leg.result) for leg in legs[:2]] == [
        ("HEDGE_NOT_FILLED", 0, 0, "UNWOUND")
    ] * 2
    assert sorted((leg.filled_qty, leg.exit_reason) for leg in legs[2:]) == [
        (0, "incomplete_basket"),
        (65, "incomplete_basket"),
    ]


@pytest.mark.parametrize("leg", [0, 2])
def test_a_leg_that_does_not_fill_in_time_is_canceled_and_the_others_are_closed(desk: Desk, leg: int) -> None:
    """Leg 0 is a call sold after the wings, leg 2 the first wing."""
    _wish(desk, replace(desk.condor("entry"), leg_timeout_s=Decimal(3)))
    _reprice(desk, "1.3" if leg == 0 else "0.7", leg=leg)
    with desk.running(*ALL):
        desk.wait_for(lambda: _result(desk) == BasketResult.UNWOUND)

    _assert_flat(desk)
    (late,) = _entries(desk, leg=leg)
    assert late.status == _S.CANCELED
    assert late.filled_qty == 0
    sold = {o.client_order_id for o in _entries(desk, is_hedge=False)}
    assert (sold <= set(_placed(desk))) is (leg == 0)
    if leg == 0:
        _assert_wings_were_closed_last(desk)


def _assert_wings_were_closed_last(desk: Desk) -> None:
    wings = {o.instrument_id for o in _entries(desk, is_hedge=True)}
    exits = [o for o in desk.orders(role=OrderRole.EXIT) if o.filled_qty > 0]
    changed = [o.changed_wall for o in exits if o.instrument_id in wings and o.changed_wall]
    others = [o.ended_wall for o in exits if o.instrument_id not in wings and o.ended_wall]
    assert max(others) < min(changed)


def test_a_signal_that_was_unwound_leaves_the_next_one_of_its_legs_alone(desk: Desk) -> None:
    _wish(desk, replace(desk.straddle("entry"), leg_timeout_s=Decimal(2)))
    _reprice(desk, "1.3", leg=1)
    with desk.running(*ALL):
        desk.wait_for(lambda: _result(desk) == BasketResult.UNWOUND)
        _assert_flat(desk)

        _wish(desk, desk.straddle("again"))
        desk.wait_for(lambda: _result(desk, "again") == BasketResult.COMPLETE)
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=_S.ACCEPTED) == 2)

    assert {leg.exit_reason for leg in desk.legs()} == {None}


def test_a_successor_sells_once_what_the_dead_lane_bought_the_wings_for(desk: Desk) -> None:
    _wish(desk, desk.condor("entry"))
    with desk.running(RunKind.ENTRIES):
        desk.wait_for(lambda: desk.count_orders(is_hedge=True, status=_S.ACCEPTED) == 2)
    with desk.running(RunKind.EXITS):
        desk.wait_for(lambda: desk.count_orders(is_hedge=True, status=_S.FILLED) == 2)
    assert {o.status for o in _entries(desk, is_hedge=False)} == {_S.INITIALIZED}

    with desk.running(*ALL):
        desk.wait_for(lambda: _result(desk) == BasketResult.COMPLETE)

    tags = [o.client_order_id for o in _entries(desk)]
    assert [tag for tag in _placed(desk) if tag in tags] == sorted(tags)


def test_a_sale_that_died_with_its_lane_is_proven_absent_and_all_is_unwound(desk: Desk) -> None:
    """Claimed, committed, never sent: nobody may send it again, so the rest must not stay."""
    _wish(desk, desk.condor("entry"))
    with desk.running(RunKind.ENTRIES):
        desk.wait_for(lambda: desk.count_orders(is_hedge=True, status=_S.ACCEPTED) == 2)
    with desk.database.begin() as session:
        claimed = {"status": _S.SUBMITTED, "submitted_wall": desk.clock.wall(), "fence": 1}
        session.execute(update(OrderRow).where(OrderRow.leg == 0).values(claimed))

    with desk.running(*ALL):
        desk.wait_for(lambda: _result(desk) == BasketResult.UNWOUND, timeout_s=40)

    _assert_flat(desk)
    (lost,) = _entries(desk, leg=0)
    assert (lost.status, lost.was_unknown) == (_S.REJECTED, True)
    assert lost.client_order_id not in _placed(desk)
    _assert_wings_were_closed_last(desk)


def test_slices_are_one_leg_and_are_unwound_with_it(desk: Desk) -> None:
    _wish(desk, replace(desk.straddle("entry", lots=30), leg_timeout_s=Decimal(3)))
    assert [(o.leg, o.part) for o in _entries(desk)] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    _reprice(desk, "1.3", leg=1, part=1)
    with desk.running(*ALL):
        desk.wait_for(lambda: _result(desk) == BasketResult.UNWOUND)

    _assert_flat(desk)
    assert [(o.status, o.reject_reason) for o in _entries(desk)] == [
        (_S.FILLED, ""),
        (_S.FILLED, ""),
        (_S.FILLED, ""),
        (_S.CANCELED, ""),
    ]


def test_a_position_above_the_freeze_quantity_is_protected_and_closed_in_parts(desk: Desk) -> None:
    _wish(desk, desk.straddle("entry", lots=30))
    with desk.running(*ALL):
        desk.wait_for(lambda: _result(desk) == BasketResult.COMPLETE)
        desk.wait_for(lambda: all(leg.exposed_since is None for leg in desk.legs()))
        stops = desk.orders(role=OrderRole.STOP, status=_S.ACCEPTED)
        _ask_for_flat(desk)
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))

    assert sorted((stop.part, int(stop.quantity)) for stop in stops) == [
        (0, 1755),
        (0, 1755),
        (1, 195),
        (1, 195),
    ]
    _assert_flat(desk)


@pytest.mark.parametrize("policy", WhenUnfilled)
def test_an_entry_that_rests_follows_the_market_only_where_its_signal_says_so(
    desk: Desk, policy: WhenUnfilled
) -> None:
    """Sold two bands above a price that trades: two steps bring it there, or one without a bound."""
    wish = replace(desk.straddle("entry"), leg_timeout_s=Decimal(6), when_unfilled=policy)
    options = [desk.parts.contracts.get(TODAY, leg.instrument_id) for leg in wish.legs]
    _wish(desk, wish)
    _reprice(desk, "1.08", leg=1)

    def has_ended() -> bool:
        desk.price(options)
        return _result(desk) in (BasketResult.COMPLETE, BasketResult.UNWOUND)

    with desk.running(*ALL):
        desk.wait_for(has_ended)

    (late,) = _entries(desk, leg=1)
    steps = {WhenUnfilled.CANCEL: 0, WhenUnfilled.CHASE: 2, WhenUnfilled.CONVERT: 1}[policy]
    assert (late.status == _S.FILLED, late.chase_step) == (steps > 0, steps)
    assert len([tag for tag in _placed(desk) if tag == late.client_order_id]) == 1


def test_a_cancel_that_got_lost_is_asked_for_again(desk: Desk) -> None:
    lost = {"kind": "request_lost", "rate": 1.0, "endpoint": "cancel", "count": 1}
    desk.broker.post("faults", {"faults": [lost]})
    _wish(desk, replace(desk.straddle("entry"), leg_timeout_s=Decimal(2)))
    _reprice(desk, "1.3", leg=1)
    with desk.running(*ALL):
        desk.wait_for(lambda: _result(desk) == BasketResult.UNWOUND, timeout_s=30)

    assert desk.broker.get("faults")["by_kind"]["request_lost"] == 1
    _assert_flat(desk)


def test_an_entry_that_waits_is_canceled_when_its_leg_shall_be_flat(desk: Desk) -> None:
    _wish(desk, desk.straddle("entry"))
    _ask_for_flat(desk)
    with desk.running(*ALL):
        desk.wait_for(lambda: _result(desk) == BasketResult.NOT_FILLED)

    assert {o.status for o in _entries(desk)} == {_S.CANCELED}
    assert _placed(desk) == []


def _ask_for_flat(desk: Desk) -> None:
    with desk.database.begin() as session:
        request_exits(session, where={}, day=TODAY, reason="test", wall=desk.clock.wall())
