"""Turn a session into the day's phases, so that a one-hour Muhurat gets a sensible day of its own."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from app.domain.calendar_rules import TradingSession
from app.domain.errors import ConfigError

INDIA = ZoneInfo("Asia/Kolkata")
BROKER_MARGIN = timedelta(minutes=5)
"""Our square-off starts at least this long before the broker's own (markets.md 1.7)."""


class Phase(StrEnum):
    """Name the steps of a trading day, in their order."""

    PREPARE = "PREPARE"
    LOGIN = "LOGIN"
    VERIFY = "VERIFY"
    ARM = "ARM"
    BELL = "BELL"
    SQUARE_OFF = "SQUARE_OFF"
    CLOSE = "CLOSE"


class LoginAt(StrEnum):
    """Choose between logging in ahead of the bell and the whole chord at the bell."""

    EARLY = "early"
    BELL = "bell"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseTimes:
    """Set the phases as distances from the session's open and close.

    The defaults are NSE F&O: 08:30, 08:45, 09:05, 09:14, 09:15, 15:12 in every era (design 3). The square-off
    starts `square_off_before_close` before the close or `square_off_before_broker` before the broker's own
    wall-clock `broker_square_off`, whichever is earlier; never more than a third of the session before the
    close. None for `square_off_before_close` means positions may stay (markets without a close).

    Raises:
        ConfigError: the phases would run out of order, or closer than 5 minutes to the broker's square-off.
    """

    prepare_before_open: timedelta = timedelta(minutes=45)
    login_before_open: timedelta = timedelta(minutes=30)
    verify_before_open: timedelta = timedelta(minutes=10)
    arm_before_open: timedelta = timedelta(minutes=1)
    login_at: LoginAt = LoginAt.EARLY
    last_entry_before_square_off: timedelta = timedelta(minutes=12)
    square_off_before_close: timedelta | None = timedelta(minutes=18)
    broker_square_off: time | None = time(15, 20)
    square_off_before_broker: timedelta = timedelta(minutes=8)
    timezone: ZoneInfo = INDIA
    square_off_expires_after_close: timedelta = timedelta(minutes=10)
    close_expires_after_close: timedelta = timedelta(hours=6)

    def __post_init__(self) -> None:
        """Refuse settings that no session could follow."""
        before_open = (
            self.prepare_before_open,
            self.login_before_open,
            self.verify_before_open,
            self.arm_before_open,
            timedelta(0),
        )
        if list(before_open) != sorted(before_open, reverse=True):
            got = ", ".join(str(distance) for distance in before_open[:-1])
            raise ConfigError(
                f"expected prepare, login, verify, arm in this order before the open, got {got}"
            )
        if self.square_off_before_broker < BROKER_MARGIN:
            raise ConfigError(
                f"expected our square-off at least {BROKER_MARGIN} before the broker's, "
                f"got {self.square_off_before_broker}"
            )
        self._require_positive()

    def _require_positive(self) -> None:
        zero = timedelta(0)
        distances = {
            "last_entry_before_square_off": self.last_entry_before_square_off >= zero,
            "square_off_before_close": self.square_off_before_close is None
            or self.square_off_before_close > zero,
            "square_off_expires_after_close": self.square_off_expires_after_close >= zero,
            "close_expires_after_close": self.close_expires_after_close > zero,
        }
        bad = [name for name, is_good in distances.items() if not is_good]
        if bad:
            raise ConfigError(f"expected a positive duration, got {', '.join(bad)} below it")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledPhase:
    """Say from when a phase is due and until when it still makes sense to run it late. Aware UTC."""

    phase: Phase
    due_at: datetime
    expires_at: datetime

    def is_due(self, at: datetime) -> bool:
        """Say whether the phase should run at a moment if it has not run yet."""
        return self.due_at <= at < self.expires_at


def phase_schedule(
    session: TradingSession, times: PhaseTimes, *, square_off: datetime | None = None
) -> tuple[ScheduledPhase, ...]:
    """Return the session's phases in the order in which they must run.

    `square_off` is when the last group of positions must leave, where that is not `square_off_at`
    (app/domain/square_off.py). Several phases may be due at one instant (`login_at` "bell"): the order of
    the tuple then decides. A bell whose window is empty (`expires_at == due_at`) never rings: no entry would
    have time to live.
    """
    square_off = square_off or square_off_at(session, times)
    end_of_entries = session.close_at if square_off is None else square_off
    phases = [
        ScheduledPhase(phase=phase, due_at=due, expires_at=end_of_entries)
        for phase, due in _before_open(session, times)
    ]
    last_entry = max(session.open_at, _last_entry_at(session, times, end_of_entries))
    phases.append(ScheduledPhase(phase=Phase.BELL, due_at=session.open_at, expires_at=last_entry))
    if square_off is not None:
        expires = session.close_at + times.square_off_expires_after_close
        phases.append(ScheduledPhase(phase=Phase.SQUARE_OFF, due_at=square_off, expires_at=expires))
    expires = session.close_at + times.close_expires_after_close
    phases.append(ScheduledPhase(phase=Phase.CLOSE, due_at=session.close_at, expires_at=expires))
    return tuple(phases)


def _before_open(session: TradingSession, times: PhaseTimes) -> list[tuple[Phase, datetime]]:
    is_early = times.login_at is LoginAt.EARLY
    distances = (
        (Phase.PREPARE, times.prepare_before_open),
        (Phase.LOGIN, times.login_before_open if is_early else timedelta(0)),
        (Phase.VERIFY, times.verify_before_open if is_early else timedelta(0)),
        (Phase.ARM, times.arm_before_open if is_early else timedelta(0)),
    )
    return [(phase, session.open_at - distance) for phase, distance in distances]


def square_off_at(session: TradingSession, times: PhaseTimes) -> datetime | None:
    """Return when the positions of a session leave by default, None in a market without a close."""
    if times.square_off_before_close is None:
        return None
    length = session.close_at - session.open_at
    start = session.close_at - min(times.square_off_before_close, length / 3)
    broker = broker_square_off_at(session, times)
    return (
        start if broker is None else max(session.open_at, min(start, broker - times.square_off_before_broker))
    )


def broker_square_off_at(session: TradingSession, times: PhaseTimes) -> datetime | None:
    """Return from when the broker closes by itself, None where it does not in this session.

    An evening session has nothing to do with the broker's afternoon square-off.
    """
    if times.broker_square_off is None:
        return None
    local = datetime.combine(session.date, times.broker_square_off, tzinfo=times.timezone)
    broker = local.astimezone(UTC)
    return None if broker <= session.open_at else broker


def _last_entry_at(session: TradingSession, times: PhaseTimes, end_of_entries: datetime) -> datetime:
    length = session.close_at - session.open_at
    return end_of_entries - min(times.last_entry_before_square_off, length / 6)
