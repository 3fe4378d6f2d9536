"""Hold the laws of the clock: what leaves, leaves in time, and nothing is entered that must soon be out."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.accounts import BrokerCode
from app.domain.blackouts import LEAVE_BEFORE, Blackout, BlackoutRule
from app.domain.calendar_rules import SessionKind, TradingSession
from app.domain.instruments import Venue, index_id
from app.domain.markets import NSE
from app.domain.phases import BROKER_MARGIN, INDIA, Phase, broker_square_off_at
from app.domain.square_off import SETTLEMENT_WINDOW, SquareOffSetting
from app.domain.time_bounds import LeaveCause, TimeRules
from tests.builders import CALL, FOREX

DAY = date(2026, 11, 23)
TIMES = st.times().map(lambda at: at.replace(microsecond=0))
ZONES = st.sampled_from([ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata"), ZoneInfo("UTC")])
MOMENTS = st.integers(0, 2 * 365 * 86_400).map(
    lambda s: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=s)
)
LEADS = st.integers(0, 7200).map(lambda s: timedelta(seconds=s))


@st.composite
def settings(draw: st.DrawFn) -> SquareOffSetting:
    leave_at, entries_end_at = draw(TIMES), draw(st.none() | TIMES)
    assume(entries_end_at is None or entries_end_at <= leave_at)
    broker_at = draw(st.none() | st.just(time(23, 59)))
    assume(broker_at is None or leave_at <= time(23, 50))
    return SquareOffSetting(
        number=draw(st.integers(1, 9)),
        venue=draw(st.sampled_from([Venue.NSE, Venue.BSE])),
        broker=draw(st.sampled_from([None, BrokerCode.KOTAK_NEO, BrokerCode.PAPER])),
        is_expiring=draw(st.booleans()),
        first_day=DAY,
        leave_at=leave_at,
        entries_end_at=entries_end_at,
        broker_at=broker_at,
    )


@st.composite
def days(draw: st.DrawFn) -> TimeRules:
    opens = datetime.combine(DAY, time(9, 15), tzinfo=INDIA).astimezone(UTC)
    length = timedelta(minutes=draw(st.integers(1, 600)))
    session = TradingSession(
        venue=Venue.NSE,
        segment="FO",
        date=DAY,
        open_at=opens + timedelta(minutes=draw(st.integers(0, 200))),
        close_at=opens + timedelta(minutes=200) + length,
        kind=SessionKind.INJECTED,
        source="test",
    )
    close = session.close_at - draw(LEADS)
    return TimeRules(
        market=NSE,
        session=session,
        settings=tuple(draw(st.lists(settings(), max_size=4))),
        index_closes={index_id("NIFTY"): max(close, session.open_at + timedelta(minutes=1))},
    )


@given(days(), st.sampled_from([BrokerCode.KOTAK_NEO, BrokerCode.PAPER]))
def test_entries_end_before_positions_leave_and_these_before_the_broker_and_the_close(
    rules: TimeRules, broker: BrokerCode
) -> None:
    bounds = rules.bounds_of(CALL, broker)
    assert bounds.square_off is not None
    assert bounds.last_day is not None

    for times in (bounds.square_off, bounds.last_day.times):
        assert times.entries_end_at <= times.leave_at < rules.session.close_at
        assert times.leave_at <= max(
            rules.session.open_at, (times.broker_at or datetime.max.replace(tzinfo=UTC)) - BROKER_MARGIN
        )
    assert bounds.last_day.times.leave_at <= bounds.square_off.leave_at
    assert bounds.last_day.times.leave_at <= bounds.last_day.close_at - BROKER_MARGIN
    if broker is BrokerCode.KOTAK_NEO and not any(setting.broker_at for setting in rules.settings):
        assert bounds.broker_at == broker_square_off_at(rules.session, NSE.times)


@given(days())
def test_no_group_leaves_after_the_phase_of_the_day(rules: TimeRules) -> None:
    due = {phase.phase: phase.due_at for phase in rules.schedule()}

    for broker in (BrokerCode.KOTAK_NEO, BrokerCode.PAPER):
        square_off = rules.bounds_of(CALL, broker).square_off
        assert square_off is not None
        assert square_off.leave_at <= due[Phase.SQUARE_OFF]


@given(
    days(),
    st.integers(0, 50_000),
    st.sampled_from([Decimal(65), Decimal(-65)]),
    st.none() | st.integers(25_900, 26_100).map(Decimal),
)
def test_what_must_be_out_stays_out_until_the_day_is_over(
    rules: TimeRules, seconds: int, net_qty: Decimal, px: Decimal | None
) -> None:
    bounds = rules.bounds_of(CALL, BrokerCode.KOTAK_NEO)
    now = rules.session.open_at + timedelta(seconds=seconds)
    cause = bounds.leave_cause(net_qty=net_qty, underlying_px=px, now=now)
    assert bounds.last_day is not None

    is_in_the_money = px is None or px > 26_000
    if net_qty < 0 and is_in_the_money and now >= bounds.last_day.close_at - SETTLEMENT_WINDOW:
        assert cause is not None
    if cause is not None and cause is not LeaveCause.SHORT_IN_THE_MONEY:
        assert bounds.must_leave_by(now) is not None
        later = bounds.leave_cause(net_qty=net_qty, underlying_px=px, now=now + timedelta(seconds=1))
        assert later is not None


@given(
    MOMENTS,
    st.integers(1, 6 * 86_400 - 7200),
    LEADS,
    st.none() | ZONES,
    st.sampled_from(BlackoutRule),
    MOMENTS,
)
def test_nothing_is_entered_that_a_window_lets_leave(
    starts_at: datetime,
    length_s: int,
    lead: timedelta,
    zone: ZoneInfo | None,
    rule: BlackoutRule,
    now: datetime,
) -> None:
    assume(rule is BlackoutRule.NO_ENTRIES or lead >= LEAVE_BEFORE)
    blackout = Blackout(
        name="any",
        covers=frozenset({"USD"}),
        starts_at=starts_at,
        ends_at=starts_at + timedelta(seconds=length_s),
        rule=rule,
        lead=lead,
        weekly_in=zone,
    )
    spells = list(blackout.spells(now))

    assert blackout.is_about(FOREX)
    for spell in spells:
        for at in (spell.starts_at - LEAVE_BEFORE, spell.starts_at, spell.ends_at - timedelta(seconds=1)):
            assert spell.forbids_entries(at) or not spell.wants_flat(at)
    if zone is not None:
        assert spells[1].starts_at - spells[0].starts_at >= timedelta(days=7, hours=-1)
        assert spells[0].starts_at - timedelta(hours=1) <= now
        assert spells[1].starts_at + timedelta(hours=1) > now
