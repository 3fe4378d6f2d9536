"""Read the latest price of single instruments, for processes that do not follow the whole stream."""

import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from app.domain.ids import InstrumentId
from app.domain.instruments import Venue, venue_of
from app.domain.market_data import Tick
from app.domain.markets import market_at
from app.infra.names import FEED_STATE_KEY, MARKS_KEY


def read_marks(valkey: Redis, instrument_ids: Iterable[InstrumentId]) -> dict[InstrumentId, Tick]:
    """Return the latest tick of each instrument that has one; nothing while Valkey is away."""
    by_venue: dict[Venue, list[InstrumentId]] = {}
    for instrument_id in instrument_ids:
        by_venue.setdefault(market_at(venue_of(instrument_id)).venue, []).append(instrument_id)
    marks: dict[InstrumentId, Tick] = {}
    for venue, ids in by_venue.items():
        try:
            values = cast("list[str | None]", valkey.hmget(MARKS_KEY.format(venue=venue), list(ids)))
        except RedisError:
            return {}
        marks |= {i: _tick(i, value) for i, value in zip(ids, values, strict=True) if value is not None}
    return marks


def read_all_marks(valkey: Redis, venue: str) -> list[Tick]:
    """Return the latest tick of every instrument; raises RedisError while Valkey is away."""
    values = cast("dict[str, str]", valkey.hgetall(MARKS_KEY.format(venue=venue)))
    return [_tick(InstrumentId(i), value) for i, value in values.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedInstant:
    """Say up to where a feed has published: the exchange's instant, and when that was by the machine."""

    last_ts: datetime
    last_wall: datetime


def read_feed_instant(valkey: Redis, venue: str) -> FeedInstant | None:
    """Return up to where a venue's feed has published; None before its first round and without Valkey."""
    try:
        found = valkey.hmget(FEED_STATE_KEY.format(venue=venue), ["last_ts", "last_wall"])
    except RedisError:
        return None
    last_ts, last_wall = cast("list[str | None]", found)
    if last_ts is None or last_wall is None:
        return None
    return FeedInstant(last_ts=datetime.fromisoformat(last_ts), last_wall=datetime.fromisoformat(last_wall))


class FeedPulse:
    """Say whether a venue's feed has published anything so recently that its silence is no outage.

    One instrument's price may be old while its market rests; the feed as a whole never is. While Valkey does
    not answer, what it said last is believed for as long as it is young enough. For one thread.
    """

    def __init__(self, valkey: Redis, *, max_age: timedelta) -> None:
        self._valkey = valkey
        self._max_age = max_age
        self._last: dict[str, datetime] = {}

    def is_fresh(self, venue: str, wall: datetime) -> bool:
        """Whether the feed lived until shortly before this moment of the machine's."""
        with contextlib.suppress(RedisError):
            told = cast("str | None", self._valkey.hget(FEED_STATE_KEY.format(venue=venue), "last_wall"))
            if told is not None:
                self._last[venue] = datetime.fromisoformat(told)
        last = self._last.get(venue)
        return last is not None and wall - last <= self._max_age


def _tick(instrument_id: InstrumentId, value: str) -> Tick:
    last, bid, ask, ts_event, wall = json.loads(value)
    return Tick(
        instrument_id=instrument_id,
        last=Decimal(last),
        bid=None if bid is None else Decimal(bid),
        ask=None if ask is None else Decimal(ask),
        ts_event=datetime.fromisoformat(ts_event),
        ts_init=datetime.fromtimestamp(wall, UTC),
        sequence=0,
    )
