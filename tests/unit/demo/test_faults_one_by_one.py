"""Each fault has minutes and trades of its own, and its row says what was seen of it."""

import itertools
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from app.db.outcomes import AlarmOutcome, LegOutcome
from app.demo.fault_cases import AT_BELL, AT_LOGIN, CASES
from app.demo.fault_desk import FaultDesk, Seen
from app.demo.fault_rows import fault_rows, never_struck
from app.demo.fault_schedule import first_trade_after_s, plan_faults
from app.demo.options import DemoOptions, Faults, parse_numbers
from app.demo.population import invent_people, trading_by_the_clock
from app.demo.setup import trading_session
from app.domain.calendar_rules import TradingSession
from app.domain.errors import InvalidInputError
from app.domain.instruments import Venue
from app.domain.markets import MARKETS
from strategies.registry import load_registry
from tests.unit.demo.test_evidence import OURS

SESSION = trading_session(DemoOptions())
OPEN = SESSION.open_at
ALL = plan_faults(SESSION, ())


def test_all_thirty_are_named_and_fit_into_one_day_one_after_the_other() -> None:
    in_session = [w for w in ALL if w.case not in (AT_LOGIN, AT_BELL)]

    assert [case.number for case in CASES] == list(range(1, 31))
    assert len(ALL) == 30 - sum(bool(case.unreachable) for case in CASES)
    assert all(a.counts_until == b.begins for a, b in itertools.pairwise(in_session))
    assert all(w.begins < w.ends <= w.counts_until for w in ALL)


def test_a_shorter_day_takes_fewer() -> None:
    short = replace(SESSION, close_at=OPEN + timedelta(minutes=70))

    assert [w.case.number for w in plan_faults(short, (2, 13))] == [2, 13]
    with pytest.raises(InvalidInputError, match="at most 4 faults"):
        plan_faults(short, (1, 2, 3, 4, 5))
    with pytest.raises(InvalidInputError, match="numbers from 1 to 30"):
        plan_faults(SESSION, (31,))


def test_everybody_trades_in_every_window_and_with_parameters_that_fit() -> None:
    options = DemoOptions(accounts=20, venues=tuple(Venue(v) for v in ("NSE", "BINANCE", "MT5")))
    registry = load_registry(("app.demo.timed_trades",))

    people = trading_by_the_clock(invent_people(options, ()), ALL, {Venue.NSE: SESSION} | _others(options))

    names = {window.case.name for window in ALL} - {AT_LOGIN.name}
    assert {frozenset(p.name for p in person.placements) for person in people} == {frozenset(names)}
    for placement in people[0].placements:
        registry.validate(placement.strategy, placement.params)


def _others(options: DemoOptions) -> dict[Venue, TradingSession]:
    return {v: trading_session(options, MARKETS[v]) for v in options.venues if v is not Venue.NSE}


def test_the_first_trade_comes_after_its_fault_began_and_at_the_bell_with_it() -> None:
    at_bell = next(w for w in ALL if w.case is AT_BELL)
    first = next(w for w in ALL if w.case.number == 1)

    assert first_trade_after_s(at_bell, SESSION) == 0
    assert first_trade_after_s(first, SESSION) == (first.begins - OPEN).total_seconds() + 60


def test_a_row_tells_of_its_own_orders_legs_and_alarms_only() -> None:
    window = next(w for w in ALL if w.case.number == 2)
    seen = Seen(window=window, injected={Venue.NSE: Counter(ack_lost=4)})
    unknown = replace(OURS, deployment="fault-02", was_unknown=True)
    absent = replace(unknown, broker_order_id=None, status="REJECTED")
    alarm = AlarmOutcome(code="unprotected", subject="leg", message="", raised_at=window.begins)
    leg = LegOutcome(
        account_id=7,
        deployment="fault-02",
        instrument_id="x",
        symbol=None,
        net_qty=OURS.quantity * 0,
        cash=OURS.quantity,
        is_stopped=False,
        exit_reason=None,
        unprotected_max_ms=1500,
        is_exposed=False,
    )

    rows = fault_rows(
        [seen],
        orders=[unknown, absent, OURS],
        legs=[leg, replace(leg, deployment="fault-03", unprotected_max_ms=9000)],
        alarms=[alarm, replace(alarm, raised_at=window.counts_until)],
    )

    row = next(row for row in rows if row["fault"] == 2)
    assert row["seen"] == {"NSE": {"ack_lost": 4}}
    assert row["unprotected_max_s"] == 1.5
    assert row["alarms"] == {"unprotected": 1}
    assert row["ended"] == ("1 of 2 orders filled, 1 unknown found at the broker, 1 proven absent, flat")
    assert [r["fault"] for r in rows if r["ended"].startswith("not played")] == [10, 29]


def test_a_fault_that_hit_nothing_is_named() -> None:
    window = ALL[0]

    assert never_struck([Seen(window=window)]) == [f"{window.case.number} ({window.case.what})"]
    assert never_struck([Seen(window=window, injected={Venue.NSE: Counter(x=1)})]) == []


def test_where_one_fault_ends_as_the_next_begins_the_end_comes_first() -> None:
    desk = FaultDesk(ALL, {})

    assert set(desk.acts()) == {w.begins for w in ALL} | {w.ends for w in ALL}


def test_numbers_are_read_as_people_write_them() -> None:
    assert parse_numbers(" 2, 13 ,2") == (2, 13)
    with pytest.raises(InvalidInputError, match="--only"):
        parse_numbers("two")
    with pytest.raises(InvalidInputError, match="--faults each"):
        DemoOptions(only=(2,))
    assert DemoOptions(faults=Faults.EACH, only=(2,)).climate == "calm"
