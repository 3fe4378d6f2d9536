"""Check when positions leave: by default, by dated settings of a broker and product, and on a last day."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from app.domain.accounts import BrokerCode
from app.domain.errors import InvalidInputError
from app.domain.instruments import InstrumentKind, Venue
from app.domain.markets import BINANCE, MT5, NSE
from app.domain.phases import Phase, PhaseTimes
from app.domain.square_off import (
    SquareOff,
    SquareOffGroup,
    SquareOffSetting,
    expiring_square_off_of,
    last_square_off,
    square_off_of,
)
from app.domain.time_bounds import TimeRules
from tests.unit.domain.calendars import injected_session, ist

DAY = date(2026, 11, 30)
SESSION = injected_session(DAY, ist(DAY, 9, 15), ist(DAY, 15, 40))
LATER = injected_session(DAY, ist(DAY, 9, 15), ist(DAY, 15, 45))
KOTAK = SquareOffGroup(venue=Venue.NSE, broker=BrokerCode.KOTAK_NEO, product=InstrumentKind.OPTION)
PAPER = replace(KOTAK, broker=BrokerCode.PAPER)
BSE = replace(KOTAK, venue=Venue.BSE)
T = NSE.times


def setting(leave_at: time = time(14, 45), **changes: object) -> SquareOffSetting:
    """A setting for everybody at NSE from the day on."""
    fields: dict[str, object] = {"number": 1, "venue": Venue.NSE, "first_day": DAY, "leave_at": leave_at}
    return SquareOffSetting(**{**fields, **changes})  # type: ignore[arg-type]  # a test builder


def at(hour: int, minute: int = 0) -> datetime:
    return ist(DAY, hour, minute)


def test_by_default_a_group_leaves_with_its_market_before_the_broker_does() -> None:
    assert square_off_of(SESSION, T, (), KOTAK) == SquareOff(
        entries_end_at=at(15, 12), leave_at=at(15, 12), broker_at=at(15, 20)
    )


def test_paper_leaves_with_its_market_though_it_closes_nothing_by_itself() -> None:
    assert square_off_of(SESSION, T, (), PAPER) == SquareOff(
        entries_end_at=at(15, 12), leave_at=at(15, 12), broker_at=None
    )


def test_nothing_leaves_a_market_without_a_close_unless_a_setting_says_so() -> None:
    times = PhaseTimes(square_off_before_close=None, broker_square_off=None)

    assert square_off_of(SESSION, times, (), KOTAK) is None
    assert square_off_of(SESSION, times, (setting(),), KOTAK) == SquareOff(
        entries_end_at=at(14, 45), leave_at=at(14, 45), broker_at=None, setting=1
    )
    assert last_square_off(SESSION, times, (), (KOTAK,)) is None


@pytest.mark.parametrize(
    ("changes", "group", "expected"),
    [
        ({}, KOTAK, "14:45"),
        ({}, PAPER, "14:45"),
        ({}, BSE, "15:12"),
        ({"broker": BrokerCode.PAPER}, KOTAK, "15:12"),
        ({"broker": BrokerCode.PAPER}, PAPER, "14:45"),
        ({"product": InstrumentKind.OPTION}, KOTAK, "14:45"),
        ({"product": InstrumentKind.SPOT}, KOTAK, "15:12"),
        ({"first_day": DAY + timedelta(days=1)}, KOTAK, "15:12"),
        ({"first_day": DAY - timedelta(days=9), "last_day": DAY}, KOTAK, "14:45"),
        ({"first_day": DAY - timedelta(days=9), "last_day": DAY - timedelta(days=1)}, KOTAK, "15:12"),
        ({"is_expiring": True}, KOTAK, "15:12"),
    ],
)
def test_a_setting_holds_for_its_group_and_days(
    changes: dict[str, object], group: SquareOffGroup, expected: str
) -> None:
    found = square_off_of(SESSION, T, (setting(**changes),), group)  # type: ignore[arg-type]  # parametrized

    assert found is not None
    assert f"{found.leave_at.astimezone(T.timezone):%H:%M}" == expected


def test_the_narrower_and_then_the_newer_setting_holds() -> None:
    for_all = setting(time(14, 0), number=1)
    newer = setting(time(14, 5), number=2)
    of_day = setting(time(14, 10), number=3, last_day=DAY)
    of_product = setting(time(14, 20), number=4, product=InstrumentKind.OPTION)
    of_broker = setting(time(14, 30), number=5, broker=BrokerCode.KOTAK_NEO)
    order = [for_all, newer, of_day, of_product, of_broker]

    for last in range(1, len(order) + 1):
        found = square_off_of(SESSION, T, reversed(order[:last]), KOTAK)
        assert found is not None
        assert found.setting == order[last - 1].number


def test_entries_may_end_before_positions_leave() -> None:
    found = square_off_of(SESSION, T, (setting(entries_end_at=time(14, 0)),), KOTAK)

    assert found is not None
    assert (found.entries_end_at, found.leave_at) == (at(14), at(14, 45))


def test_however_late_a_setting_is_positions_leave_before_the_broker_acts() -> None:
    late = setting(time(15, 19), entries_end_at=time(15, 18))
    moved = setting(time(15, 25), broker_at=time(15, 30))

    assert square_off_of(SESSION, T, (late,), KOTAK) == SquareOff(
        entries_end_at=at(15, 15), leave_at=at(15, 15), broker_at=at(15, 20), setting=1
    )
    assert square_off_of(SESSION, T, (moved,), KOTAK) == SquareOff(
        entries_end_at=at(15, 25), leave_at=at(15, 25), broker_at=at(15, 30), setting=1
    )


def test_a_setting_outside_of_the_session_is_not_about_it() -> None:
    evening = injected_session(DAY, at(18, 15), at(19, 15))

    found = square_off_of(evening, T, (setting(),), KOTAK)

    assert found == SquareOff(entries_end_at=at(18, 57), leave_at=at(18, 57), broker_at=None)


@pytest.mark.parametrize(
    ("session", "contract_close", "entries_end", "leaves"),
    [
        (SESSION, (15, 40), (14, 30), (15, 0)),
        (LATER, (15, 30), (14, 30), (15, 0)),
        (LATER, (15, 20), (14, 20), (14, 50)),
    ],
)
def test_options_leave_earlier_on_their_last_day(
    session: object, contract_close: tuple[int, int], entries_end: tuple[int, int], leaves: tuple[int, int]
) -> None:
    found = expiring_square_off_of(session, T, (), KOTAK, contract_close=at(*contract_close))  # type: ignore[arg-type]  # parametrized

    assert found == SquareOff(entries_end_at=at(*entries_end), leave_at=at(*leaves), broker_at=at(15, 20))


def test_the_last_day_of_a_short_session_keeps_two_thirds_of_it() -> None:
    evening = injected_session(DAY, at(18, 15), at(19, 15))

    found = expiring_square_off_of(evening, T, (), KOTAK, contract_close=at(19, 15))

    assert (found.entries_end_at, found.leave_at) == (at(18, 45), at(18, 55))


def test_the_times_of_a_last_day_are_set_apart_and_never_later_than_the_others() -> None:
    early = setting(time(13, 30), is_expiring=True, entries_end_at=time(12, 0))
    late = setting(time(15, 20), is_expiring=True)
    usual = setting(time(14, 45))

    def found(*settings: SquareOffSetting) -> SquareOff:
        return expiring_square_off_of(SESSION, T, settings, KOTAK, contract_close=at(15, 40))

    assert (found(early).entries_end_at, found(early).leave_at) == (at(12), at(13, 30))
    assert found(late).leave_at == at(15, 12)
    assert found(late, usual).leave_at == at(14, 45)
    assert found(usual).leave_at == at(14, 33)


def test_without_a_square_off_the_last_day_still_ends_before_the_contract_does() -> None:
    times = PhaseTimes(square_off_before_close=None, broker_square_off=None)
    late = setting(time(15, 29), is_expiring=True)

    found = expiring_square_off_of(SESSION, times, (late,), KOTAK, contract_close=at(15, 30))
    usual = expiring_square_off_of(SESSION, times, (), KOTAK, contract_close=at(15, 30))

    assert found == SquareOff(entries_end_at=at(15, 25), leave_at=at(15, 25), broker_at=None, setting=1)
    assert usual.leave_at == at(15)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"last_day": DAY - timedelta(days=1)}, "last day"),
        ({"entries_end_at": time(14, 46)}, "entries"),
        ({"leave_at": time(14, 45, tzinfo=UTC)}, "time zone"),
        ({"entries_end_at": time(14, 0, tzinfo=UTC)}, "time zone"),
        ({"broker_at": time(14, 49, 59)}, "before the broker"),
        ({"is_expiring": True, "product": InstrumentKind.SPOT}, "options"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], what: str) -> None:
    with pytest.raises(InvalidInputError, match=what):
        setting(**changes)  # type: ignore[arg-type]  # parametrized


def test_settings_at_their_bounds_are_taken() -> None:
    assert setting(
        last_day=DAY, entries_end_at=time(14, 45), broker_at=time(14, 50), is_expiring=True
    ).covers(KOTAK, DAY)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ((), (15, 12)),
        ((setting(time(14, 0), broker=BrokerCode.KOTAK_NEO),), (15, 12)),
        ((setting(time(14, 0)),), (15, 12)),
        ((setting(time(14, 0)), setting(time(14, 30), venue=Venue.BSE)), (14, 30)),
        ((setting(time(15, 14), broker=BrokerCode.PAPER),), (15, 14)),
    ],
)
def test_the_phase_of_the_day_runs_when_the_last_group_must_leave(
    settings: tuple[SquareOffSetting, ...], expected: tuple[int, int]
) -> None:
    rules = TimeRules(market=NSE, session=SESSION, settings=settings)

    due = {phase.phase: phase.due_at for phase in rules.schedule()}

    assert due[Phase.SQUARE_OFF] == at(*expected)


def test_every_group_of_a_market_is_known() -> None:
    assert len(TimeRules(market=NSE, session=SESSION).groups) == 4
    assert {g.product for g in TimeRules(market=BINANCE, session=SESSION).groups} == {
        InstrumentKind.SPOT,
        InstrumentKind.PERPETUAL,
    }
    assert [g.broker for g in TimeRules(market=MT5, session=SESSION).groups] == [BrokerCode.MT5]
