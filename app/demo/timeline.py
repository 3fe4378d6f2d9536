"""Lay out the virtual day: where time may jump, and where it runs at real speed. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.calendar_rules import TradingSession
from app.domain.phases import Phase, ScheduledPhase

LEAD = timedelta(seconds=2)
"""A window begins this long before its moment, so that the moment itself is met at real speed."""
_LENGTH = timedelta(seconds=30)
_PREOPEN_STEP = timedelta(seconds=60)


class Move(StrEnum):
    """Say how a stop is reached: at once, or by letting the clock run."""

    JUMP = "jump"
    GLIDE = "glide"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One instant at which the driver looks around."""

    at: datetime
    move: Move


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Hold the day's stops in order, its phases and the instants at which the market ticks."""

    session: TradingSession
    phases: tuple[ScheduledPhase, ...]
    windows: tuple[tuple[datetime, datetime], ...]
    ticks: tuple[datetime, ...]
    stops: tuple[Stop, ...]

    def phases_due(self, at: datetime) -> frozenset[Phase]:
        """Return the phases that should have run by then."""
        return frozenset(phase.phase for phase in self.phases if phase.due_at <= at)


def real_windows(
    session: TradingSession, phases: Sequence[ScheduledPhase], entry_offsets: Sequence[timedelta]
) -> tuple[tuple[datetime, datetime], ...]:
    """Return the stretches that run at real speed: the bell, the timed entries and the square-off."""
    moments = {session.open_at, *(session.open_at + offset for offset in entry_offsets)}
    moments |= {phase.due_at for phase in phases if phase.phase is Phase.SQUARE_OFF}
    windows: list[tuple[datetime, datetime]] = []
    for moment in sorted(m for m in moments if session.contains(m)):
        start, end = moment - LEAD, moment + _LENGTH - LEAD
        if windows and start <= windows[-1][1]:
            windows[-1] = (windows[-1][0], end)
        else:
            windows.append((start, end))
    return tuple(windows)


def entry_offsets(params: Iterable[Mapping[str, object]]) -> list[timedelta]:
    """Return the times after the open at which deployments with these parameters enter."""
    offsets = {p["entry_offset_s"] for p in params if "entry_offset_s" in p}
    return sorted(timedelta(seconds=float(str(offset))) for offset in offsets)


def lay_out(
    session: TradingSession,
    phases: Sequence[ScheduledPhase],
    windows: Sequence[tuple[datetime, datetime]],
    *,
    ticks: Sequence[datetime],
    others: Iterable[datetime] = (),
) -> Timeline:
    """Return the day's timeline.

    Args:
        session: the trading session.
        phases: of the platform, in order.
        windows: that run at real speed.
        ticks: instants at which the market ticks, from the simulator, in order.
        others: further instants to stop at: the phases of the markets beside it.
    """
    of_session = tuple(tick for tick in ticks if tick <= session.close_at)
    instants = {phase.due_at for phase in phases} | set(of_session) | set(others)
    login = next(phase.due_at for phase in phases if phase.phase is Phase.LOGIN)
    minutes = int((session.open_at - login) / _PREOPEN_STEP)
    instants |= {login + _PREOPEN_STEP * n for n in range(1, minutes)}
    jumps = {at for at in instants if not any(start < at <= end for start, end in windows)}
    stops = [Stop(at=at, move=Move.JUMP) for at in jumps | {start for start, _ in windows}]
    stops += [Stop(at=end, move=Move.GLIDE) for _, end in windows]
    return Timeline(
        session=session,
        phases=tuple(phases),
        windows=tuple(windows),
        ticks=of_session,
        stops=tuple(sorted(stops, key=lambda stop: (stop.at, stop.move))),
    )
