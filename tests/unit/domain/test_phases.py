"""Check that the phases of the day fit every kind of session."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from app.domain.calendar import TradingSession
from app.domain.errors import ConfigError
from app.domain.phases import LoginAt, Phase, PhaseTimes, ScheduledPhase, phase_schedule
from tests.unit.domain.calendars import INDIA, injected_session, ist

DAY = date(2026, 1, 12)
HOUR = timedelta(hours=1)


def _session(opens: tuple[int, int], closes: tuple[int, int]) -> TradingSession:
    return injected_session(DAY, ist(DAY, *opens), ist(DAY, *closes))


def _due(session: TradingSession, times: PhaseTimes | None = None) -> dict[Phase, str]:
    schedule = phase_schedule(session, times or PhaseTimes())
    return {row.phase: f"{row.due_at.astimezone(INDIA):%H:%M}" for row in schedule}


def _phase(session: TradingSession, phase: Phase, times: PhaseTimes | None = None) -> ScheduledPhase:
    return next(row for row in phase_schedule(session, times or PhaseTimes()) if row.phase is phase)


@pytest.mark.parametrize("close", [(15, 30), (15, 40), (15, 45)])
def test_nse_day_has_its_usual_times_in_every_era(close: tuple[int, int]) -> None:
    assert _due(_session((9, 15), close)) == {
        Phase.PREPARE: "08:30",
        Phase.LOGIN: "08:45",
        Phase.VERIFY: "09:05",
        Phase.ARM: "09:14",
        Phase.BELL: "09:15",
        Phase.SQUARE_OFF: "15:12",
        Phase.CLOSE: f"{close[0]}:{close[1]}",
    }


def test_one_hour_muhurat_gets_sensible_times() -> None:
    assert _due(_session((13, 45), (14, 45))) == {
        Phase.PREPARE: "13:00",
        Phase.LOGIN: "13:15",
        Phase.VERIFY: "13:35",
        Phase.ARM: "13:44",
        Phase.BELL: "13:45",
        Phase.SQUARE_OFF: "14:27",
        Phase.CLOSE: "14:45",
    }


def test_evening_session_ignores_the_brokers_afternoon_square_off() -> None:
    assert _due(_session((18, 15), (19, 15)))[Phase.SQUARE_OFF] == "18:57"


def test_short_session_keeps_two_thirds_of_itself_for_trading() -> None:
    session = _session((10, 0), (10, 30))
    assert _due(session)[Phase.SQUARE_OFF] == "10:20"
    assert _phase(session, Phase.BELL).expires_at == ist(DAY, 10, 15)


def test_phases_before_the_bell_may_run_late_until_the_square_off() -> None:
    schedule = phase_schedule(_session((9, 15), (15, 40)), PhaseTimes())
    assert {row.expires_at for row in schedule[:4]} == {ist(DAY, 15, 12)}


def test_late_phases_expire_when_they_stop_making_sense() -> None:
    session = _session((9, 15), (15, 40))
    assert _phase(session, Phase.BELL).expires_at == ist(DAY, 15, 0)
    assert _phase(session, Phase.SQUARE_OFF).expires_at == ist(DAY, 15, 50)
    assert _phase(session, Phase.CLOSE).expires_at == ist(DAY, 21, 40)


def test_login_at_the_bell_runs_the_whole_chord_at_the_open_in_order() -> None:
    schedule = phase_schedule(_session((9, 15), (15, 40)), PhaseTimes(login_at=LoginAt.BELL))
    assert [row.phase for row in schedule] == list(Phase)
    assert [f"{row.due_at.astimezone(INDIA):%H:%M}" for row in schedule[:5]] == ["08:30"] + ["09:15"] * 4


def test_square_off_follows_an_earlier_broker() -> None:
    session = _session((9, 15), (15, 40))
    times = PhaseTimes(broker_square_off=time(15, 10), square_off_before_broker=timedelta(minutes=5))
    assert _due(session, times)[Phase.SQUARE_OFF] == "15:05"


def test_square_off_without_a_broker_time_counts_from_the_close() -> None:
    session = _session((9, 15), (15, 40))
    assert _due(session, PhaseTimes(broker_square_off=None))[Phase.SQUARE_OFF] == "15:22"


def test_session_that_opens_into_the_brokers_square_off_rings_no_bell() -> None:
    session = _session((15, 15), (16, 15))
    bell = _phase(session, Phase.BELL)
    assert _phase(session, Phase.SQUARE_OFF).due_at == session.open_at
    assert not bell.is_due(session.open_at)


def test_market_without_a_close_has_no_square_off() -> None:
    whole_day = injected_session(DAY, datetime(2026, 1, 12, tzinfo=UTC), datetime(2026, 1, 13, tzinfo=UTC))
    times = PhaseTimes(square_off_before_close=None, broker_square_off=None)
    schedule = phase_schedule(whole_day, times)
    assert Phase.SQUARE_OFF not in {row.phase for row in schedule}
    assert schedule[0].expires_at == whole_day.close_at


def test_phase_is_due_from_its_time_until_it_expires() -> None:
    row = ScheduledPhase(phase=Phase.BELL, due_at=ist(DAY, 9, 15), expires_at=ist(DAY, 15))
    instant = timedelta(microseconds=1)
    assert row.is_due(row.due_at)
    assert not row.is_due(row.due_at - instant)
    assert row.is_due(row.expires_at - instant)
    assert not row.is_due(row.expires_at)


def test_square_off_nearer_than_five_minutes_to_the_brokers_is_refused() -> None:
    assert PhaseTimes(square_off_before_broker=timedelta(minutes=5))
    with pytest.raises(ConfigError, match=r"at least 0:05:00 before the broker's, got 0:04:59"):
        PhaseTimes(square_off_before_broker=timedelta(minutes=4, seconds=59))


def test_phases_out_of_order_are_refused() -> None:
    with pytest.raises(ConfigError, match="in this order before the open"):
        PhaseTimes(login_before_open=HOUR)


def test_arming_after_the_open_is_refused() -> None:
    with pytest.raises(ConfigError, match="in this order before the open"):
        PhaseTimes(arm_before_open=timedelta(seconds=-1))


@pytest.mark.parametrize(
    "times",
    [
        {"last_entry_before_square_off": -HOUR},
        {"square_off_before_close": timedelta(0)},
        {"square_off_expires_after_close": -HOUR},
        {"close_expires_after_close": timedelta(0)},
    ],
)
def test_distances_without_sense_are_refused_by_name(times: dict[str, timedelta]) -> None:
    with pytest.raises(ConfigError, match=next(iter(times))):
        PhaseTimes(**times)  # type: ignore[arg-type]  # one timedelta field per case
