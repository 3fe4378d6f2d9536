"""Check what the clock asks of one position, and what the gate says about entering it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from app.domain.accounts import BrokerCode
from app.domain.blackouts import Blackout, BlackoutRule
from app.domain.ids import InstrumentId
from app.domain.instruments import Instrument, InstrumentKind, OptionRight, Venue, index_id
from app.domain.markets import NSE
from app.domain.orders import OrderRole, Side
from app.domain.risk.gate import Denied, evaluate
from app.domain.risk.limits import RiskLimits
from app.domain.risk.rules import DenialCode
from app.domain.square_off import SquareOff
from app.domain.time_bounds import FREE, LastDay, LeaveCause, TimeBounds, TimeRules
from tests.builders import CALL, at_ease, holding, index, intent, option
from tests.unit.domain.calendars import injected_session, ist

DAY = date(2026, 11, 23)
"""The day on which CALL and PUT of the builders expire."""
MOMENT = timedelta(microseconds=1)
NIFTY = index_id("NIFTY")
SESSION = injected_session(DAY, ist(DAY, 9, 15), ist(DAY, 15, 40))
CLOSES: Mapping[InstrumentId, datetime] = {NIFTY: ist(DAY, 15, 40)}
IN_THE_MONEY, AT_THE_MONEY = Decimal(26001), Decimal(26000)
LONG, SHORT = Decimal(65), Decimal(-65)


def at(hour: int, minute: int = 0) -> datetime:
    return ist(DAY, hour, minute)


def rules(**changes: object) -> TimeRules:
    fields: dict[str, object] = {"market": NSE, "session": SESSION, "index_closes": CLOSES}
    return TimeRules(**{**fields, **changes})  # type: ignore[arg-type]  # a test builder


def bounds(instrument: Instrument = CALL, **changes: object) -> TimeBounds:
    return rules(**changes).bounds_of(instrument, BrokerCode.KOTAK_NEO)


def window(rule: BlackoutRule, *, start: datetime, lead: timedelta = timedelta(minutes=15)) -> Blackout:
    return Blackout(
        name="budget",
        covers=frozenset({"NIFTY"}),
        starts_at=start,
        ends_at=start + timedelta(hours=1),
        rule=rule,
        lead=lead,
    )


def later(days: int = 1) -> Instrument:
    """CALL of another expiry."""
    assert CALL.option is not None
    return replace(CALL, option=replace(CALL.option, expiry=DAY + timedelta(days=days)))


def cause(
    of: TimeBounds, now: datetime, *, net_qty: Decimal = SHORT, px: Decimal | None = AT_THE_MONEY
) -> LeaveCause | None:
    return of.leave_cause(net_qty=net_qty, underlying_px=px, now=now)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (at(14, 59), None),
        (at(15) - MOMENT, None),
        (at(15), LeaveCause.EXPIRY),
        (at(15, 12) - MOMENT, LeaveCause.EXPIRY),
        (at(15, 12), LeaveCause.SQUARE_OFF),
    ],
)
def test_what_expires_today_leaves_before_the_others(now: datetime, expected: LeaveCause | None) -> None:
    assert cause(bounds(), now) is expected
    assert cause(bounds(later()), now) is (None if now < at(15, 12) else LeaveCause.SQUARE_OFF)


def test_a_contract_that_should_be_gone_has_its_last_day_too() -> None:
    assert bounds(later(-1)).last_day is not None
    assert bounds(later(0)).last_day is not None
    assert bounds(later(1)).last_day is None
    assert bounds(index()).last_day is None


@pytest.mark.parametrize(
    ("right", "px", "intrinsic"),
    [
        (OptionRight.CALL, Decimal(26120), Decimal(120)),
        (OptionRight.CALL, AT_THE_MONEY, Decimal(0)),
        (OptionRight.CALL, Decimal(25999), Decimal(0)),
        (OptionRight.PUT, Decimal(25900), Decimal(100)),
        (OptionRight.PUT, AT_THE_MONEY, Decimal(0)),
        (OptionRight.PUT, Decimal(26001), Decimal(0)),
        (OptionRight.PUT, None, None),
    ],
)
def test_what_an_option_would_settle_at(
    right: OptionRight, px: Decimal | None, intrinsic: Decimal | None
) -> None:
    last = bounds(option(right)).last_day

    assert last is not None
    assert last.intrinsic(px) == intrinsic
    assert last.may_be_in_the_money(px) is (intrinsic is None or intrinsic > 0)


def _late_last_day(close: datetime = SESSION.close_at) -> TimeBounds:
    """A last day whose times were set so late that only the settlement window binds."""
    usual = SquareOff(entries_end_at=at(15, 30), leave_at=at(15, 30), broker_at=None)
    assert CALL.option is not None
    last = LastDay(option=CALL.option, times=usual, close_at=close, settles_in_cash=True)
    return TimeBounds(square_off=usual, last_day=last)


@pytest.mark.parametrize(
    ("net_qty", "px", "now", "expected"),
    [
        (SHORT, IN_THE_MONEY, at(15, 10) - MOMENT, None),
        (SHORT, IN_THE_MONEY, at(15, 10), LeaveCause.SHORT_IN_THE_MONEY),
        (SHORT, None, at(15, 10), LeaveCause.SHORT_IN_THE_MONEY),
        (SHORT, AT_THE_MONEY, at(15, 10), None),
        (LONG, IN_THE_MONEY, at(15, 10), None),
        (Decimal(0), IN_THE_MONEY, at(15, 10), None),
        (SHORT, IN_THE_MONEY, at(15, 30), LeaveCause.SQUARE_OFF),
    ],
)
def test_what_was_sold_and_is_in_the_money_leaves_when_its_settlement_begins_whatever_was_set(
    net_qty: Decimal, px: Decimal | None, now: datetime, expected: LeaveCause | None
) -> None:
    assert cause(_late_last_day(), now, net_qty=net_qty, px=px) is expected


@pytest.mark.parametrize(
    ("px", "now", "expected"),
    [
        (IN_THE_MONEY, at(15, 12) - MOMENT, False),
        (IN_THE_MONEY, at(15, 12), True),
        (AT_THE_MONEY, at(15, 12), False),
        (None, at(15, 12), True),
    ],
)
def test_an_exercise_is_near_two_minutes_after_the_settlement_began(
    px: Decimal | None, now: datetime, *, expected: bool
) -> None:
    last = bounds().last_day

    assert last is not None
    assert last.is_exercise_near(px, now) is expected


def test_an_exercise_is_not_near_while_a_later_time_to_leave_was_set() -> None:
    last = _late_last_day().last_day

    assert last is not None
    assert not last.is_exercise_near(IN_THE_MONEY, at(15, 32) - MOMENT)
    assert last.is_exercise_near(IN_THE_MONEY, at(15, 32))


def test_index_options_settle_in_cash_and_may_stop_before_the_session() -> None:
    early = bounds(index_closes={NIFTY: at(15, 30)}).last_day
    beyond = bounds(index_closes={NIFTY: at(15, 50)}).last_day
    of_a_share = bounds(index_closes={}).last_day

    assert early is not None
    assert beyond is not None
    assert of_a_share is not None
    assert (early.close_at, early.settles_from, early.settles_in_cash) == (at(15, 30), at(15), True)
    assert beyond.close_at == SESSION.close_at
    assert (of_a_share.close_at, of_a_share.settles_in_cash) == (SESSION.close_at, False)


def test_when_options_of_a_venue_leave_on_their_last_day_is_known_without_a_contract() -> None:
    group = rules().groups[0]
    sensex = {index_id("SENSEX", Venue.BSE): at(14)}
    coin = replace(group, product=InstrumentKind.SPOT)

    usual = rules(index_closes={**CLOSES, **sensex}).expiring_times(replace(group, venue=Venue.NSE))
    early = rules(index_closes={**CLOSES, **sensex}).expiring_times(replace(group, venue=Venue.BSE))

    assert usual is not None
    assert early is not None
    assert (usual.leave_at, early.leave_at) == (at(15), at(13, 30))
    assert rules().expiring_times(coin) is None


def test_positions_leave_for_a_window_that_they_must_not_see() -> None:
    must_leave = bounds(later(), blackouts=(window(BlackoutRule.FLAT_BEFORE, start=at(11)),))
    may_stay = bounds(later(), blackouts=(window(BlackoutRule.NO_ENTRIES, start=at(11)),))

    assert cause(must_leave, at(10, 55) - MOMENT) is None
    assert cause(must_leave, at(10, 55)) is LeaveCause.BLACKOUT
    assert cause(must_leave, at(12)) is None
    assert cause(may_stay, at(11, 30)) is None
    other = replace(window(BlackoutRule.FLAT_BEFORE, start=at(11)), covers=frozenset({"BANKNIFTY"}))
    assert bounds(later(), blackouts=(other,)).blackouts == ()


def test_when_a_position_leaves_at_the_latest_is_known_ahead() -> None:
    windows = (
        window(BlackoutRule.FLAT_BEFORE, start=at(11)),
        window(BlackoutRule.NO_ENTRIES, start=at(10)),
    )

    assert bounds(later()).must_leave_by(at(9, 30)) == at(15, 12)
    assert bounds().must_leave_by(at(9, 30)) == at(15)
    assert bounds(blackouts=windows).must_leave_by(at(9, 30)) == at(10, 55)
    assert bounds(blackouts=windows).must_leave_by(at(12)) == at(15)
    assert FREE.must_leave_by(at(9, 30)) is None
    assert cause(FREE, at(15, 30)) is None
    assert (bounds().broker_at, FREE.broker_at) == (at(15, 20), None)


def denial(of: TimeBounds, now: datetime, *, role: OrderRole = OrderRole.ENTRY) -> Denied | None:
    ease = at_ease() if role is OrderRole.ENTRY else holding(-65)
    state = replace(ease, entries_close_at=at(15, 40), bounds={CALL.instrument_id: of})
    side = Side.SELL if role is OrderRole.ENTRY else Side.BUY
    order = replace(intent(role=role, side=side), valid_until=now + timedelta(seconds=5))
    verdict = evaluate(order, state, limits=RiskLimits(), now=now)
    return verdict if isinstance(verdict, Denied) else None


@pytest.mark.parametrize(
    ("of", "from_", "code"),
    [
        (bounds(later()), at(15, 12), DenialCode.SESSION_CLOSED),
        (bounds(), at(14, 30), DenialCode.EXPIRY_DAY),
        (
            bounds(later(), blackouts=(window(BlackoutRule.NO_ENTRIES, start=at(11)),)),
            at(10, 45),
            DenialCode.BLACKOUT,
        ),
    ],
)
def test_entries_are_denied_from_the_moment_on_and_exits_never(
    of: TimeBounds, from_: datetime, code: DenialCode
) -> None:
    refused = denial(of, from_)

    assert denial(of, from_ - MOMENT) is None
    assert refused is not None
    assert refused.code is code
    assert "expected" in refused.message
    assert refused.remedy
    assert denial(of, from_, role=OrderRole.EXIT) is None


def test_entries_are_possible_again_after_a_window() -> None:
    of = bounds(later(), blackouts=(window(BlackoutRule.FLAT_BEFORE, start=at(11)),))

    refused = denial(of, at(12) - MOMENT)

    assert refused is not None
    assert "'budget' from 2026-11-23 05:30Z to 2026-11-23 06:30Z" in refused.message
    assert denial(of, at(12)) is None


def test_nothing_is_entered_while_a_time_or_window_cannot_be_read() -> None:
    of = bounds(later(), faults=("blackout 8: no such zone",))

    refused = denial(of, at(10))

    assert refused is not None
    assert refused.code is DenialCode.BLACKOUT
    assert "blackout 8: no such zone" in refused.message
    assert denial(of, at(10), role=OrderRole.EXIT) is None


def test_what_nobody_bounds_may_be_entered() -> None:
    assert denial(FREE, at(15, 39)) is None


def test_products_of_other_kinds_have_no_last_day() -> None:
    coin = replace(index(), kind=InstrumentKind.SPOT)

    assert bounds(coin).last_day is None
    assert datetime(2026, 11, 23, 9, 42, tzinfo=UTC) == bounds(coin).must_leave_by(at(9, 30))
