"""Know the forex week and the broker's own time of day.

The week runs from Sunday 17:00 to Friday 16:59 New York; each day rolls at 17:00, with a pause from 16:59
to 17:05. The trade server's clock stands seven hours before New York, so that its days begin at the roll:
UTC+2 in winter, UTC+3 in summer. Source: the convention of most MT5 brokers; a fixed offset can be set per
account.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
WEEK_MINUTES = 5 * 24 * 60
_DAY_MINUTES = 24 * 60
_ROLL_MINUTE = 17 * 60
_PAUSE_MINUTES = 5
_SERVER_AHEAD = timedelta(hours=7)


def week_minute(instant: datetime) -> int:
    """Return the minutes since the last Sunday 17:00 New York, 0 to 10079; from 7200 on it is the weekend."""
    local = instant.astimezone(NEW_YORK)
    sunday_first = (local.weekday() + 1) % 7
    return (sunday_first * _DAY_MINUTES + local.hour * 60 + local.minute - _ROLL_MINUTE) % (7 * _DAY_MINUTES)


def is_trading(instant: datetime) -> bool:
    """Return whether orders are taken and matched."""
    minute = week_minute(instant)
    since_roll = minute % _DAY_MINUTES
    pauses = since_roll == _DAY_MINUTES - 1 or (minute >= _DAY_MINUTES and since_roll < _PAUSE_MINUTES)
    return minute < WEEK_MINUTES and not pauses


def is_quoted(instant: datetime) -> bool:
    """Return whether the market ticks; quotes go on through the pause."""
    return week_minute(instant) < WEEK_MINUTES


def server_offset(instant: datetime) -> timedelta:
    """Return how far the trade server's clock stands before UTC."""
    offset = instant.astimezone(NEW_YORK).utcoffset()
    if offset is None:  # never for this zone
        raise ValueError("New York time without an offset")
    return offset + _SERVER_AHEAD


def epoch(instant: datetime) -> int:
    """Return whole seconds since the epoch, UTC."""
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)


def from_epoch(seconds: int) -> datetime:
    """Return the instant of seconds since the epoch, UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
