"""Learn the trade server's time from what an agent tells."""

from datetime import datetime, timedelta

from app.domain.errors import ProtocolError
from brokers.mt5.server_time import ServerClock
from brokers.mt5.values import Row, not_negative, whole

_FRESH_S = 3


def note_time(clock: ServerClock, told: Row, *, now: datetime, is_simulated: bool) -> None:
    """Learn the offset from an agent's newest tick when it is fresh, else from the agent's settings.

    A simulated day may run faster than the agent's clock: there, what the settings say is never measured.

    Raises:
        ProtocolError: the agent's words cannot be read.
    """
    declared = _declared(told)
    if declared is not None and (is_simulated or clock.offset is None):
        clock.set_offset(declared)
    if told.get("age_s") is None or (declared is not None and is_simulated):
        return
    age_s = not_negative(told, "age_s")
    if age_s <= _FRESH_S:
        clock.note_tick(whole(told, "tick_ms"), at=now - timedelta(seconds=float(age_s)))


def _declared(told: Row) -> timedelta | None:
    if told.get("utc_offset_s") is None:
        return None
    seconds = whole(told, "utc_offset_s")
    if not -43_200 <= seconds <= 50_400:
        raise ProtocolError(f"utc_offset_s: expected seconds of a time zone, got {seconds}")
    return timedelta(seconds=seconds)
