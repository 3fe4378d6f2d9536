"""Learn the trade server's time from what an agent tells."""

from datetime import datetime, timedelta

from app.domain.errors import ProtocolError
from brokers.mt5.server_time import ServerClock
from brokers.mt5.values import Row, not_negative, whole

_FRESH_S = 3


def note_time(clock: ServerClock, told: Row, *, now: datetime) -> None:
    """Learn the offset from an agent's newest tick when it is fresh, else from the agent's settings.

    Raises:
        ProtocolError: the agent's words cannot be read.
    """
    if told.get("age_s") is not None:
        age_s = not_negative(told, "age_s")
        if age_s <= _FRESH_S:
            clock.note_tick(whole(told, "tick_ms"), at=now - timedelta(seconds=float(age_s)))
    if clock.offset is None and told.get("utc_offset_s") is not None:
        seconds = whole(told, "utc_offset_s")
        if not -43_200 <= seconds <= 50_400:
            raise ProtocolError(f"utc_offset_s: expected seconds of a time zone, got {seconds}")
        clock.set_offset(timedelta(seconds=seconds))
