"""Positions leave by the clock: at a broker's time, before a window, on a last day; who is late is told."""

from datetime import datetime, time, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text

from app.db.alarms import open_alarm_subjects
from app.db.models import AuditRow
from app.db.times import add_square_off_setting, put_blackout
from app.domain.accounts import BrokerCode
from app.domain.blackouts import Blackout, BlackoutRule
from app.domain.instruments import OptionRight, Venue, index_id
from app.domain.market_data import Tick
from app.domain.markets import NSE
from app.domain.orders import OrderRole, OrderStatus
from app.domain.risk.rules import DenialCode
from app.domain.square_off import SquareOffSetting
from app.infra.market_codec import encode_mark
from app.infra.names import MARKS_KEY, RunKind
from app.services.lanes.departures import BROKER_CLOSES, EXERCISE, OVERDUE
from tests.contract.simulator_kotak.broker import at
from tests.integration.order_path.desk import TODAY, Desk

pytestmark = pytest.mark.integration

ALL = (RunKind.ENTRIES, RunKind.EXITS, RunKind.BOOKS)
_S = OrderStatus
REFUSED = [{"kind": "algo_refused", "rate": 1.0, "endpoint": place} for place in ("modify", "place")]


def _set(desk: Desk, leave_at: time, **changes: object) -> None:
    fields: dict[str, object] = {"venue": Venue.NSE, "first_day": TODAY, "leave_at": leave_at, **changes}
    with desk.database.begin() as session:
        add_square_off_setting(session, SquareOffSetting(**fields), actor="test", reason="test")  # type: ignore[arg-type]  # a test builder


def _black_out(desk: Desk, *, starts_in: timedelta) -> None:
    starts_at = desk.clock.now() + starts_in
    window = Blackout(
        name="budget",
        covers=frozenset({"NIFTY"}),
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=1),
        rule=BlackoutRule.FLAT_BEFORE,
        lead=timedelta(minutes=15),
    )
    with desk.database.begin() as session:
        put_blackout(session, window, actor="test", reason="test")


def _enter(desk: Desk, *, key: str = "entry", customer: int = 0) -> None:
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.straddle(key), loop, [desk.deployments[customer]])


def _is_flat(desk: Desk) -> bool:
    return all(leg.net_qty == 0 for leg in desk.legs()) and bool(desk.legs())


def _codes(desk: Desk) -> list[str | None]:
    return [order.denial_code for order in desk.orders(status=_S.DENIED)]


def _audited(desk: Desk, action: str) -> list[AuditRow]:
    with desk.database.begin() as session:
        return list(session.scalars(select(AuditRow).where(AuditRow.action == action)))


def test_positions_leave_at_their_brokers_own_time_and_nothing_more_is_entered(desk: Desk) -> None:
    _set(desk, time(10, 0), broker=BrokerCode.PAPER)
    _set(desk, time(11, 0), broker=BrokerCode.KOTAK_NEO, broker_at=time(11, 5))
    with desk.running(*ALL):
        _enter(desk)
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=_S.ACCEPTED) == 2)
        desk.clock.set(datetime.fromisoformat(at("10:59:57")), rate=1.0)
        desk.wait_for(lambda: _is_flat(desk))
        left_at = desk.clock.now()
        _enter(desk, key="late")

    assert left_at >= datetime.fromisoformat(at("11:00:00"))
    assert {leg.exit_reason for leg in desk.legs()} == {"square_off"}
    assert DenialCode.SESSION_CLOSED in _codes(desk)
    assert [(act.actor, act.origin, act.details) for act in _audited(desk, "square_off.leave")] == [
        ("exits lane", "job", {"legs": 2})
    ]
    assert all(position["net"] == 0 for position in desk.broker.get("positions"))


def test_a_window_cancels_what_has_not_left_and_denies_the_next_entry(desk: Desk) -> None:
    _enter(desk)  # no entry lane runs: nothing leaves
    _black_out(desk, starts_in=timedelta(minutes=4))

    with desk.running(RunKind.EXITS):
        desk.wait_for(lambda: desk.count_orders(status=_S.CANCELED) == 2)
    _enter(desk, key="in the window")

    assert {leg.exit_reason for leg in desk.legs()} == {"blackout"}
    assert DenialCode.BLACKOUT in _codes(desk)
    assert desk.broker.get("orders") == []


def test_a_window_that_asks_for_no_position_lets_positions_leave(desk: Desk) -> None:
    with desk.running(*ALL):
        _enter(desk)
        desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=_S.ACCEPTED) == 2)
        _black_out(desk, starts_in=timedelta(minutes=4))
        desk.wait_for(lambda: _is_flat(desk))

    assert {leg.exit_reason for leg in desk.legs()} == {"blackout"}


def _expire_today(desk: Desk) -> None:
    """Let the nearest contracts of the master be on their last day."""
    with desk.database.begin() as session:
        session.execute(
            text(
                "UPDATE instruments SET expiry = :today "
                "WHERE expiry = (SELECT min(expiry) FROM instruments WHERE expiry >= :today)"
            ),
            {"today": TODAY},
        )


def _index_at(desk: Desk, price: Decimal) -> None:
    name = index_id("NIFTY")
    tick = Tick(
        instrument_id=name,
        last=price,
        bid=None,
        ask=None,
        ts_event=desk.clock.now(),
        ts_init=desk.clock.wall(),
        sequence=9,
    )
    desk.parts.valkey.hset(
        MARKS_KEY.format(venue=NSE.venue), mapping={name: encode_mark(tick, desk.clock.wall())}
    )


def _open_condor(desk: Desk) -> None:
    with desk.lease(RunKind.LOOPS) as loop:
        desk.record(desk.condor("entry"), loop, desk.deployments[:1])
    desk.wait_for(lambda: desk.count_orders(role=OrderRole.ENTRY, status=_S.FILLED) == 4)
    desk.wait_for(lambda: desk.count_orders(role=OrderRole.STOP, status=_S.ACCEPTED) == 2)


def _let_wait(desk: Desk) -> None:
    """As if the legs had been asked to leave four minutes ago."""
    with desk.database.begin() as session:
        session.execute(text("UPDATE legs SET exit_requested_wall = now() - interval '4 minutes'"))


def test_what_expires_today_leaves_early_and_who_is_late_is_escalated_until_flat(desk: Desk) -> None:
    _expire_today(desk)
    wing = desk.wing(OptionRight.CALL).option
    assert wing is not None
    with desk.running(*ALL):
        _open_condor(desk)
        desk.broker.post("faults", {"faults": REFUSED})

        desk.clock.set(datetime.fromisoformat(at("14:45:00")), rate=1.0)
        _enter(desk, key="on the last day", customer=1)
        assert DenialCode.EXPIRY_DAY in _codes(desk)
        assert {leg.exit_reason for leg in desk.legs()} == {None}

        _index_at(desk, wing.strike + 100)
        desk.clock.set(datetime.fromisoformat(at("15:05:00")), rate=1.0)
        desk.wait_for(lambda: {leg.exit_reason for leg in desk.legs()} == {"expiry_square_off"})
        desk.wait_for(lambda: desk.open_alarms(EXERCISE))
        desk.wait_for(lambda: desk.count_orders(status=_S.REJECTED) > 0)

        _let_wait(desk)
        desk.wait_for(lambda: len(desk.open_alarms(OVERDUE)) == 4)
        overdue = desk.open_alarms(OVERDUE).values()
        desk.clock.set(datetime.fromisoformat(at("15:20:00")), rate=1.0)
        desk.wait_for(lambda: len(desk.open_alarms(BROKER_CLOSES)) == 4)
        exercise, left_to_broker = (
            list(desk.open_alarms(code).values()) for code in (EXERCISE, BROKER_CLOSES)
        )

        desk.fault()
        desk.price([desk.option(r) for r in OptionRight] + [desk.wing(r) for r in OptionRight])
        desk.wait_for(lambda: _is_flat(desk), timeout_s=40)
        desk.wait_for(lambda: not any(map(desk.open_alarms, (OVERDUE, BROKER_CLOSES, EXERCISE))))

    assert all("(main at kotak_neo)" in message for message in overdue)
    assert any("the broker says: " in message for message in overdue)
    assert all("closes it by itself from 09:50Z on" in message for message in left_to_broker)
    assert len(exercise) == 1
    assert f"{wing.strike:f}-CE" in exercise[0]
    assert "100 in the money: at 10:00Z it is exercised, settled in cash, with an STT of " in exercise[0]
    assert {act.reason for act in _audited(desk, "square_off.escalate")} == {OVERDUE, BROKER_CLOSES, EXERCISE}


def test_a_setting_that_is_withdrawn_binds_no_longer(desk: Desk) -> None:
    _set(desk, time(9, 20))
    _enter(desk, key="denied")
    with desk.database.begin() as session:
        session.execute(
            text(
                "UPDATE square_off_settings SET withdrawn_at = now(), withdrawn_by = 'test', "
                "withdrawal_reason = 'test'"
            )
        )
    _enter(desk, key="approved")

    assert _codes(desk) == [DenialCode.SESSION_CLOSED, DenialCode.OTHER_LEG]
    assert desk.count_orders(status=_S.INITIALIZED) == 2
    with desk.database.begin() as session:
        assert open_alarm_subjects(session, OVERDUE) == frozenset()
