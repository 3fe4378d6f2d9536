"""Exit rules on the real order path: the one live exit moves, or becomes the way out, and state survives."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select

from app.db.models import IndicatorRow, LegRow, OrderEventRow, OrderRow, SignalRow
from app.domain.exit_terms import BreakEven, ExitTerms, Trail, TrueRange, fraction, ranges
from app.domain.ids import InstrumentId
from app.domain.instruments import OptionRight
from app.domain.numbers import Rounding, round_to_step
from app.domain.orders import OrderEventKind, OrderRole, OrderStatus
from app.domain.signals import Signal
from app.infra.names import FEED_STATE_KEY, RunKind
from app.infra.rate_limit import OrderBudget
from tests.contract.simulator_kotak.broker import at
from tests.integration.order_path.desk import TODAY, Desk

ALL = (RunKind.ENTRIES, RunKind.EXITS, RunKind.BOOKS)
TICK = Decimal("0.05")
_RANGE = Decimal("1.10")
# On this day the put falls from about 30 to 27 in five minutes and then rises to 41 in fifteen, while the
# call falls from 51 to 39; at one o'clock the put is at 57, and the call at 22.
QUIET, FALLEN, RISEN, TURNED = "09:25:00", "09:34:00", "09:40:00", "13:00:00"


def _straddle(desk: Desk, exits: ExitTerms) -> Signal:
    """A straddle with wide stops and these exit rules on both legs."""
    wish = desk.straddle("entry", stop="0.35")
    legs = []
    for leg in wish.legs:
        assert leg.protection is not None
        legs.append(replace(leg, protection=replace(leg.protection, exits=exits)))
    return replace(wish, legs=tuple(legs))


def _sell(desk: Desk, exits: ExitTerms, loop: Any) -> dict[OptionRight, LegRow]:
    """Sell it on one account, wait for both stops, return the legs."""
    feed = desk.clock.wall() + timedelta(hours=1)
    desk.parts.valkey.hset(FEED_STATE_KEY.format(venue="NSE"), "last_wall", feed.isoformat())
    desk.record(_straddle(desk, exits), loop, desk.deployments[:1])
    desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=OrderStatus.ACCEPTED) == 2)
    return {right: _leg(desk, right) for right in OptionRight}


def _leg(desk: Desk, right: OptionRight) -> LegRow:
    (leg,) = [leg for leg in desk.legs() if f"-{right}." in leg.instrument_id]
    return leg


def _exit_of(desk: Desk, right: OptionRight) -> OrderRow:
    (order,) = [o for o in desk.orders() if o.role != OrderRole.ENTRY and f"-{right}." in o.instrument_id]
    return order


def _run_market(desk: Desk, until: str) -> None:
    """Let the market go on to this time and stand: a slow machine must meet the same prices."""
    desk.broker.post("clock", {"now": at(until), "rate": 0.01})
    contracts = desk.parts.contracts
    desk.price([contracts.get(TODAY, InstrumentId(leg.instrument_id)) for leg in desk.legs()])


def _trigger_at_broker(desk: Desk, right: OptionRight) -> Decimal:
    tag = _exit_of(desk, right).client_order_id
    (order,) = [order for order in desk.broker.get("orders") if order["tag"] == tag]
    return Decimal(str(order["trigger"]))


def _state(desk: Desk, right: OptionRight) -> dict[str, Any]:
    return _leg(desk, right).exit_state or {}


def _entry(leg: LegRow) -> Decimal:
    return leg.entry_value / leg.entry_qty


def test_target_turns_the_resting_stop_into_the_way_out(desk: Desk) -> None:
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        sold = _sell(desk, ExitTerms(target=fraction("0.30")), loop)
        assert all(leg.exit_reason is None for leg in sold.values())
        _run_market(desk, TURNED)
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))

    call, out = _leg(desk, OptionRight.CALL), _exit_of(desk, OptionRight.CALL)
    assert (call.exit_reason, call.is_stopped) == ("target", False)
    assert (out.role, out.reason, out.status) == (OrderRole.EXIT, "target", OrderStatus.FILLED)
    assert out.avg_px is not None
    assert out.avg_px <= _entry(call) * Decimal("0.70")
    put = _leg(desk, OptionRight.PUT)
    assert (put.exit_reason, put.is_stopped) == (None, True), "the other leg went to its own stop"
    assert all(position["net"] == 0 for position in desk.broker.get("positions"))
    with desk.database.begin() as session:
        payload = session.scalars(select(SignalRow.payload)).one()
    assert {leg["exits"]["target"]["value"] for leg in payload["legs"]} == {"0.30"}


def _trailed(_leg: LegRow, best: Decimal) -> Decimal:
    return round_to_step(best * Decimal("1.10"), TICK, Rounding.DOWN)


def _hung(_leg: LegRow, best: Decimal) -> Decimal:
    return best + 2 * _RANGE


def _at_entry(leg: LegRow, _best: Decimal) -> Decimal:
    return round_to_step(_entry(leg), TICK, Rounding.DOWN)


def _know_range(desk: Desk, instrument_id: InstrumentId) -> None:
    """Store a true range of a bar of today, a later one that warms up again, and an old one."""
    starts = [desk.clock.now() - timedelta(minutes=m) for m in (30, 15, 2000)]
    with desk.database.begin() as session:
        for start, value in zip(starts, (_RANGE, None, Decimal(9)), strict=True):
            key = {"instrument_id": instrument_id, "minutes": 15, "name": "atr:14"}
            session.add(IndicatorRow(**key, start=start, value=value))


@pytest.mark.parametrize(
    ("exits", "level"),
    [
        pytest.param(ExitTerms(trail=Trail(distance=fraction("0.10"))), _trailed, id="trail"),
        pytest.param(
            ExitTerms(trail=Trail(distance=ranges(2), true_range=TrueRange(bars=14, minutes=15))),
            _hung,
            id="chandelier",
        ),
        pytest.param(ExitTerms(break_even=BreakEven(trigger=fraction("0.08"))), _at_entry, id="break-even"),
    ],
)
def test_a_moved_stop_rests_at_the_broker_survives_a_restart_and_fills_there(
    desk: Desk, exits: ExitTerms, level: Callable[[LegRow, Decimal], Decimal]
) -> None:
    put = OptionRight.PUT
    _know_range(desk, desk.option(put).instrument_id)
    with desk.lease(RunKind.LOOPS) as loop:
        with desk.running(*ALL):
            _sell(desk, exits, loop)
            _run_market(desk, QUIET)
            desk.wait_for(lambda: _state(desk, put).get("stop_px") is not None)
            seen = Decimal(_state(desk, put)["best_px"])
            moved = level(_leg(desk, put), seen)
            desk.wait_for(lambda: _trigger_at_broker(desk, put) == moved)
        desk.parts.valkey.delete(
            "marks:NSE"
        )  # a new lane sees no price that tells how far the put had fallen
        with desk.running(*ALL):
            desk.wait_for(lambda: _exit_of(desk, put).status == OrderStatus.ACCEPTED)
            assert Decimal(_state(desk, put)["best_px"]) == seen
            assert _trigger_at_broker(desk, put) == moved
            desk.broker.post("clock", {"now": at(TURNED), "rate": 1.0})
            desk.wait_for(lambda: _leg(desk, put).net_qty == 0)

    leg, stop = _leg(desk, put), _exit_of(desk, put)
    assert (leg.is_stopped, leg.exit_reason, stop.role) == (True, None, OrderRole.STOP)
    assert stop.avg_px is not None
    assert moved <= stop.avg_px <= moved * Decimal("1.08"), "at the moved level, not at the first stop"
    requests = _events(desk, put, OrderEventKind.UPDATE_REQUESTED)
    triggers = [Decimal(event.details["trigger"]) for event in requests]
    assert triggers == sorted(triggers, reverse=True), "a stop was loosened"
    gaps = [(b.wall - a.wall).total_seconds() for a, b in pairwise(requests)]
    assert all(gap >= 2.9 for gap in gaps)


def test_a_refused_move_leaves_the_order_where_it_rests_and_is_asked_for_again(desk: Desk) -> None:
    put = OptionRight.PUT
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        _sell(desk, ExitTerms(break_even=BreakEven(trigger=fraction("0.08"))), loop)
        first = _trigger_at_broker(desk, put)
        desk.broker.post(
            "faults",
            {"faults": [{"kind": "refusal", "endpoint": "modify", "code": 1009, "rate": 1.0, "count": 1}]},
        )
        _run_market(desk, QUIET)
        desk.wait_for(lambda: _events(desk, put, OrderEventKind.REQUEST_REFUSED))
        assert (_trigger_at_broker(desk, put), _exit_of(desk, put).trigger_price) == (first, first)
        level = _at_entry(_leg(desk, put), Decimal(0))
        desk.wait_for(lambda: _trigger_at_broker(desk, put) == level)

    asked = _events(desk, put, OrderEventKind.UPDATE_REQUESTED)
    assert len(asked) == 2
    assert (asked[1].wall - asked[0].wall).total_seconds() >= 2.9


def _events(desk: Desk, right: OptionRight, kind: OrderEventKind) -> Sequence[OrderEventRow]:
    order_id = _exit_of(desk, right).id
    with desk.database.begin() as session:
        return session.scalars(
            select(OrderEventRow)
            .where(OrderEventRow.order_id == order_id, OrderEventRow.kind == kind)
            .order_by(OrderEventRow.id)
        ).all()


def test_a_stopped_leg_sends_the_others_stop_to_its_entry(desk: Desk) -> None:
    call = OptionRight.CALL
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        sold = _sell(desk, ExitTerms(follows_siblings=True), loop)
        assert _state(desk, call)["stop_px"] is None
        # The put's stop may fill before the lane knows that moment's prices: the call has fallen by then.
        _run_market(desk, FALLEN)
        _run_market(desk, RISEN)
        desk.wait_for(lambda: _leg(desk, OptionRight.PUT).is_stopped)
        level = _at_entry(sold[call], Decimal(0))
        desk.wait_for(lambda: _trigger_at_broker(desk, call) == level)

    assert (_state(desk, call)["stop_rule"], _leg(desk, call).exit_reason) == ("sibling", None)
    assert not _state(desk, OptionRight.PUT)["followed_sibling"]


def test_a_time_stop_leaves_after_its_seconds_and_not_before(desk: Desk) -> None:
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        _sell(desk, ExitTerms(time_stop_s=6), loop)
        desk.wait_for(lambda: all(leg.exit_reason for leg in desk.legs()))
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))

    for leg in desk.legs():
        (entry,) = desk.orders(role=OrderRole.ENTRY, instrument_id=leg.instrument_id)
        assert leg.exit_reason == "time_stop"
        assert entry.ended_wall is not None
        assert leg.exit_requested_wall is not None
        assert 5.9 <= (leg.exit_requested_wall - entry.ended_wall).total_seconds() <= 15


def test_a_second_position_of_a_leg_begins_anew(desk: Desk) -> None:
    """What was remembered of the first one, its moved stop above all, is not carried to the next."""
    exits = ExitTerms(trail=Trail(distance=fraction("0.10")), time_stop_s=4)
    with desk.running(*ALL), desk.lease(RunKind.LOOPS) as loop:
        _sell(desk, exits, loop)
        desk.wait_for(lambda: all(leg.net_qty == 0 for leg in desk.legs()))
        first = {leg.instrument_id: leg.exit_state for leg in desk.legs()}
        calm = replace(exits, time_stop_s=None)
        desk.record(replace(_straddle(desk, calm), key="again"), loop, desk.deployments[:1])  # type: ignore[arg-type]
        desk.wait_for(lambda: all(leg.net_qty != 0 for leg in desk.legs()))

    for leg in desk.legs():
        before, after = first[leg.instrument_id], leg.exit_state
        assert before is not None
        assert after is not None
        assert after["opened_at"] > before["opened_at"]
        assert after["signal_id"] != before["signal_id"]
        assert Decimal(after["earlier_qty"]) == leg.entry_qty / 2
        assert leg.exit_reason is None


def test_moves_leave_requests_to_entries_and_entries_leave_some_to_exits(desk: Desk) -> None:
    budget = OrderBudget(desk.parts.valkey, per_second=9)
    asked = [budget.take_for_move, budget.take_for_entry, budget.take_for_exit]

    assert [sum(take(1) for _ in range(12)) for take in asked] == [5, 2, 2]
