"""The lane's exit rules: whose observation counts, what is written, and what a new entry brings."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from sqlalchemy.orm import Session

from app.db.exit_rules import take_exit_terms
from app.db.exits import NO_REFUSALS, LegWork
from app.db.models import LegRow, OrderRow
from app.db.orders import leg_of
from app.domain.errors import NotFoundError
from app.domain.exit_terms import BreakEven, ExitTerms, Trail, TrueRange, points, ranges
from app.domain.ids import InstrumentId
from app.domain.instruments import Instrument, Venue
from app.domain.market_data import Tick
from app.domain.orders import OrderType
from app.domain.ports import Clock
from app.domain.risk.exit_rules import ExitState, StopRule
from app.domain.risk.exits import CancelExit, ChangeExit, WantedStop
from app.services.lanes.requests import ContractBook
from app.services.lanes.trails import Trails, is_mere_move, wanted_stop
from tests.builders import CALL, NOW, tick

NO_SESSION = cast("Session", None)  # nothing is asked of the tables where no leg waits for a sibling
TRAIL = ExitTerms(trail=Trail(distance=points(5)))


class Now:
    """A clock that stands."""

    def now(self) -> datetime:
        return NOW

    def wall(self) -> datetime:
        return NOW


class Book:
    """One contract."""

    def get(self, _day: object, instrument_id: InstrumentId) -> Instrument:
        if instrument_id != CALL.instrument_id:
            raise NotFoundError(f"expected a contract, got {instrument_id}")
        return CALL


class Desk:
    """Trails with a feed that can be switched off."""

    def __init__(self, *, is_fresh: bool = True) -> None:
        self.asked: list[Venue] = []
        self.is_fresh = is_fresh
        self.trails = Trails(
            clock=cast("Clock", Now()), contracts=cast("ContractBook", Book()), is_watching=self._is_watching
        )

    def _is_watching(self, venue: Venue, _wall: datetime) -> bool:
        self.asked.append(venue)
        return self.is_fresh

    def see(self, *legs: LegRow, mark: Tick | None) -> None:
        marks: Mapping[InstrumentId, Tick] = {} if mark is None else {mark.instrument_id: mark}
        work = [LegWork(leg, part, leg_of(leg), None, NO_REFUSALS) for leg in legs for part in (0, 1)]
        self.trails.advance(NO_SESSION, work, marks)


def short(terms: ExitTerms | None = TRAIL, **changes: Any) -> LegRow:
    """A short call at 100, opened now."""
    values: dict[str, Any] = {
        "deployment_id": 1,
        "account_id": 1,
        "day": NOW.date(),
        "instrument_id": CALL.instrument_id,
        "net_qty": Decimal(-65),
        "entry_qty": Decimal(65),
        "entry_value": Decimal(6500),
        "cash": Decimal(6500),
        "is_stopped": False,
        "stop_fraction": Decimal("0.25"),
        "exit_terms": None if terms is None else terms.to_mapping(),
        "exit_state": None if terms is None else ExitState(opened_at=NOW).to_mapping(),
    }
    return LegRow(**values | changes)


def state_of(leg: LegRow) -> ExitState:
    assert leg.exit_state is not None
    return ExitState.from_mapping(leg.exit_state)


def test_a_fresh_mark_moves_the_stop_that_the_lane_wants() -> None:
    leg, desk = short(), Desk()
    desk.see(leg, short(), mark=tick("90"))

    assert (state_of(leg).best_px, state_of(leg).stop_rule) == (Decimal(90), StopRule.TRAIL)
    assert wanted_stop(leg, NOW) == WantedStop(fraction=Decimal("0.25"), moved_to=Decimal(95))
    assert desk.asked == [Venue.NSE], "once a pass, however many legs"


@pytest.mark.parametrize(
    ("mark", "is_fresh"),
    [
        pytest.param(tick("90"), False, id="the feed is dead"),
        pytest.param(
            replace(tick("90"), ts_event=NOW - timedelta(seconds=1)), True, id="older than the position"
        ),
        pytest.param(None, True, id="no mark"),
    ],
)
def test_other_marks_count_for_nothing(mark: Tick | None, *, is_fresh: bool) -> None:
    leg = short()
    before = leg.exit_state
    Desk(is_fresh=is_fresh).see(leg, mark=mark)

    assert leg.exit_state is before, "nothing is written"
    assert leg.exit_reason is None


@pytest.mark.parametrize(
    "leg",
    [
        short(None),
        short(net_qty=Decimal(0)),
        short(exit_reason="square_off"),
        short(entry_qty=Decimal(0), entry_value=Decimal(0)),
    ],
)
def test_legs_without_rules_or_on_their_way_out_cost_nothing(leg: LegRow) -> None:
    desk, before = Desk(), leg.exit_state
    desk.see(leg, mark=tick("50"))

    assert leg.exit_state is before
    assert desk.asked == []


def test_what_did_not_change_is_not_written_again() -> None:
    leg, desk = short(), Desk()
    desk.see(leg, mark=tick("90"))
    written = leg.exit_state
    desk.see(leg, mark=tick("92"))

    assert leg.exit_state is written


def test_a_price_at_the_moved_stop_is_remembered_when_it_turns() -> None:
    leg, desk = short(), Desk()
    for last in ("90", "95", "80"):
        desk.see(leg, mark=tick(last))

    assert state_of(leg).due_at == NOW
    assert wanted_stop(leg, NOW + timedelta(seconds=3)) == WantedStop(
        fraction=Decimal("0.25"), moved_to=Decimal(95), due_s=3.0
    )


class OneRange:
    """A session whose only answer is a true range; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def scalar(self, _statement: object) -> Decimal:
        self.asked += 1
        return Decimal(4)


def test_many_legs_read_one_true_range_once_a_pass() -> None:
    terms = ExitTerms(trail=Trail(distance=ranges(2), true_range=TrueRange(bars=14, minutes=5)))
    legs, session = [short(terms), short(terms)], OneRange()
    work = [LegWork(leg, 0, leg_of(leg), None, NO_REFUSALS) for leg in legs]
    Desk().trails.advance(cast("Session", session), work, {CALL.instrument_id: tick("90")})

    assert [state_of(leg).stop_px for leg in legs] == [Decimal(98)] * 2
    assert session.asked == 1


def test_a_time_stop_fires_without_a_feed() -> None:
    opened = ExitState(opened_at=NOW - timedelta(seconds=60)).to_mapping()
    leg = short(ExitTerms(time_stop_s=60), exit_state=opened)
    Desk(is_fresh=False).see(leg, mark=None)

    assert (leg.exit_reason, leg.exit_requested_wall) == ("time_stop", NOW)


def test_a_leg_that_cannot_be_judged_leaves_the_others_theirs() -> None:
    odd, unknown, sound = short(), short(instrument_id="GONE.NSE"), short()
    odd.stop_fraction = Decimal(0)
    Desk().see(odd, unknown, sound, mark=tick("90"))

    assert state_of(sound).stop_px == Decimal(95)
    assert state_of(odd) == state_of(unknown) == ExitState(opened_at=NOW)


def entry(terms: ExitTerms | None, *, signal_id: int = 7) -> OrderRow:
    return OrderRow(signal_id=signal_id, exit_terms=None if terms is None else terms.to_mapping())


def test_the_first_fill_of_a_flat_leg_begins_anew() -> None:
    leg = short(net_qty=Decimal(0))
    Desk().see(leg, mark=tick("90"))
    take_exit_terms(leg, entry(TRAIL, signal_id=9), now=NOW + timedelta(hours=1))

    assert state_of(leg) == ExitState(
        opened_at=NOW + timedelta(hours=1),
        signal_id=9,
        earlier_qty=Decimal(65),
        earlier_value=Decimal(6500),
    )
    take_exit_terms(leg, entry(None), now=NOW)
    assert (leg.exit_terms, leg.exit_state) == (None, None)


def test_a_second_position_is_judged_by_its_own_average() -> None:
    even = ExitTerms(break_even=BreakEven(trigger=points(10)))
    leg = short(even, net_qty=Decimal(0))
    take_exit_terms(leg, entry(even), now=NOW)
    leg.net_qty, leg.entry_qty, leg.entry_value = Decimal(-65), Decimal(130), Decimal(6500 + 65 * 120)
    Desk().see(leg, mark=tick("110"))

    assert state_of(leg).stop_px == Decimal(120), "not the day's average of 110"


def test_more_of_a_position_keeps_what_is_remembered() -> None:
    leg = short()
    Desk().see(leg, mark=tick("90"))
    moved = leg.exit_state
    even = ExitTerms(break_even=BreakEven(trigger=points(1)))
    for later in (even, None):
        take_exit_terms(leg, entry(later, signal_id=8), now=NOW + timedelta(hours=1))
        assert leg.exit_state is moved
        assert leg.exit_terms == (None if later is None else later.to_mapping())
    assert wanted_stop(leg, NOW) == WantedStop(fraction=Decimal("0.25"), moved_to=Decimal(95)), (
        "no stop loosens"
    )


def test_rules_that_come_with_more_of_a_position_start_there() -> None:
    leg = short(None)
    take_exit_terms(leg, entry(TRAIL), now=NOW)

    assert state_of(leg) == ExitState(opened_at=NOW, signal_id=7)
    assert wanted_stop(short(None, stop_fraction=None), NOW) is None


def test_only_a_closer_stop_of_the_same_size_can_wait_for_the_budget() -> None:
    resting = OrderRow(quantity=Decimal(65))
    closer = ChangeExit(
        order_type=OrderType.STOP_LIMIT,
        quantity=Decimal(65),
        price=Decimal(97),
        trigger_price=Decimal(95),
        chase_step=0,
    )
    out = replace(closer, order_type=OrderType.LIMIT, trigger_price=None)

    assert is_mere_move(closer, resting)
    assert not is_mere_move(replace(closer, quantity=Decimal(130)), resting)
    assert not any(is_mere_move(step, resting) for step in (out, CancelExit()))
