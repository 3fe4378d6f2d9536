"""The day's phases as people see them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.phases import Phase, ScheduledPhase
from app.services.timeline import PhaseState, merge_phases

DUE = datetime(2026, 11, 20, 3, 45, tzinfo=UTC)
PLAN = ScheduledPhase(phase=Phase.BELL, due_at=DUE, expires_at=DUE + timedelta(hours=5))


@dataclass(frozen=True, kw_only=True)
class _Run:
    phase: str = "BELL"
    due_at: datetime = DUE
    started_at: datetime = DUE + timedelta(seconds=40)
    finished_at: datetime | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)


def _state(now: datetime, *runs: _Run) -> tuple[PhaseState, int]:
    (view,) = merge_phases([PLAN], runs, now=now)
    return view.state, view.late_s


def test_a_phase_is_scheduled_then_late_then_missed() -> None:
    assert _state(DUE - timedelta(seconds=1)) == (PhaseState.SCHEDULED, 0)
    assert _state(DUE + timedelta(seconds=30))[0] is PhaseState.SCHEDULED
    assert _state(DUE + timedelta(seconds=31)) == (PhaseState.LATE, 31)
    assert _state(DUE + timedelta(hours=5))[0] is PhaseState.MISSED


def test_a_phase_that_ran_tells_how_late_it_started() -> None:
    assert _state(DUE + timedelta(hours=6), _Run()) == (PhaseState.RUNNING, 40)
    assert _state(DUE, _Run(finished_at=DUE + timedelta(seconds=41))) == (PhaseState.DONE, 40)


def test_a_phase_that_ran_is_shown_without_a_schedule() -> None:
    (view,) = merge_phases([], [_Run(phase="CLOSE")], now=DUE)

    assert view.phase is Phase.CLOSE
