"""Bring the trade server's time to UTC: MT5 writes its local time as if it were Unix seconds."""

import threading
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.domain.errors import ProtocolError, UnavailableError

NEW_YORK = ZoneInfo("America/New_York")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROLLOVER = time(17)
# Every time zone in use keeps to quarters of an hour.
_STEP = timedelta(minutes=15)
_LEAST, _MOST = timedelta(hours=-12), timedelta(hours=14)
_SLACK = timedelta(minutes=2)
# 10**13 ms is the year 2286: what is beyond cannot be a time.
_MOST_MS = 10**13


class ServerClock:
    """Hold the offset of the server's time to UTC, as fresh ticks prove it. Thread-safe."""

    def __init__(self) -> None:
        self._offset: timedelta | None = None
        self._lock = threading.Lock()

    @property
    def offset(self) -> timedelta | None:
        """Server time minus UTC, or None while nothing has proved it."""
        with self._lock:
            return self._offset

    def set_offset(self, offset: timedelta) -> None:
        """Take an offset on somebody's word, until a tick proves another one."""
        with self._lock:
            self._offset = offset

    def note_tick(self, tick_ms: int, *, at: datetime) -> None:
        """Learn from a tick that was quoted at the instant `at`; a time that fits no zone teaches nothing."""
        offset = measured_offset(tick_ms, at=at)
        if offset is not None:
            with self._lock:
                self._offset = offset

    def to_utc(self, server_ms: int) -> datetime:
        """Return a server time as UTC.

        Raises:
            ProtocolError: not a time.
            UnavailableError: the offset is not known: no tick has come yet.
        """
        return from_ms(server_ms) - self._known()

    def to_server_ms(self, at: datetime) -> int:
        """Return an instant in the server's milliseconds; raises as `to_utc` does."""
        return (at + self._known() - _EPOCH) // timedelta(milliseconds=1)

    def _known(self) -> timedelta:
        offset = self.offset
        if offset is None:
            raise UnavailableError(
                "the server's time is not known: no fresh tick has come; set utc_offset_s of the agent, "
                "or wait for the market to open"
            )
        return offset


def measured_offset(tick_ms: int, *, at: datetime) -> timedelta | None:
    """Return the offset that a tick quoted at `at` proves, or None when it fits no time zone."""
    if not 0 < tick_ms < _MOST_MS:
        return None
    difference = from_ms(tick_ms) - at
    offset = round(difference / _STEP) * _STEP
    return offset if _LEAST <= offset <= _MOST and abs(difference - offset) <= _SLACK else None


def from_ms(value: int) -> datetime:
    """Return Unix milliseconds as if they were UTC. Raises ProtocolError when they are no time."""
    if not 0 < value < _MOST_MS:
        raise ProtocolError(f"time: expected milliseconds since 1970, got {value}")
    return _EPOCH + timedelta(milliseconds=value)


def day_start(now: datetime) -> datetime:
    """Return when the trading day of forex began: the last 17:00 of New York.

    Source: design.md 3; the rollover hour of the interbank market.
    """
    local = now.astimezone(NEW_YORK)
    opening = local.replace(hour=_ROLLOVER.hour, minute=0, second=0, microsecond=0, fold=0)
    if opening > local:
        opening = (opening - timedelta(days=1)).replace(fold=0)
    return opening.astimezone(UTC)
