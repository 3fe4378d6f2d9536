"""Compute indicators once for everybody who asked, and tell the loops that the bar is ready."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

import structlog
from redis import Redis

from app.db.bars import load_bars, load_indicators, save_indicators
from app.db.session import Database
from app.domain.calendar_rules import TradingSession
from app.domain.errors import InvalidInputError, NotFoundError
from app.domain.ids import InstrumentId
from app.domain.instruments import Venue
from app.domain.market_data import Bar, BarSpec, IndicatorBar
from app.domain.strategy import IndicatorNeed
from app.infra.market_codec import KEEP_BARS, encode_bar
from app.infra.names import BARS_STREAM, NEEDS_KEY

log = structlog.get_logger()

_KEEP_NEEDS_S = 36 * 3600

Compute = Callable[[Sequence[str], Sequence[Bar], datetime], Mapping[str, Decimal | None]]
"""Computes named indicators at the close of the last bar; raises InvalidInputError for an unknown name."""
Needs = Mapping[tuple[InstrumentId, int], tuple[str, ...]]
"""Indicator names by instrument and bar length in minutes."""


def register_needs(valkey: Redis, venue: Venue, day: date, needs: Iterable[IndicatorNeed]) -> None:
    """Announce what strategies want to see; idempotent, forgotten after the day. Raises RedisError."""
    members = sorted(
        {f"{need.instrument_id}|{need.spec.minutes}|{name}" for need in needs for name in need.names}
    )
    if members:
        key = NEEDS_KEY.format(venue=venue, day=day)
        valkey.sadd(key, *members)
        valkey.expire(key, _KEEP_NEEDS_S)


def parse_needs(members: Iterable[str]) -> Needs:
    """Return the announced needs, names sorted."""
    needs: dict[tuple[InstrumentId, int], set[str]] = defaultdict(set)
    for member in members:
        instrument_id, minutes, name = member.split("|", 2)
        needs[InstrumentId(instrument_id), int(minutes)].add(name)
    return {key: tuple(sorted(names)) for key, names in needs.items()}


class Indicators:
    """Carry out the indicator task of one venue. Thread-safe."""

    def __init__(self, database: Database, valkey: Redis, *, venue: Venue, compute: Compute) -> None:
        self._database = database
        self._valkey = valkey
        self._venue = venue
        self._compute = compute

    def run(
        self, session: TradingSession, instrument_id: InstrumentId, *, minutes: int, start: datetime
    ) -> dict[str, str | None]:
        """Compute what is needed at the close of a bar, store it and publish the bar; return the values.

        Repeating it computes nothing anew: what stands in the table is published again.

        Raises:
            NotFoundError: the bar is not stored.
        """
        spec = BarSpec(minutes=minutes)
        names = self._needed(session.date, instrument_id, minutes)
        with self._database.begin() as db:
            bars = load_bars(db, instrument_id, spec, first=session.open_at, last=start)
            if not bars or bars[-1].start != start:
                raise NotFoundError(f"{instrument_id} {spec} {start.isoformat()}: no such bar is stored")
            values = load_indicators(db, bars[-1])
            missing = [name for name in names if name not in values]
            new = self._values(missing, bars, session)
            save_indicators(db, bars[-1], new)
        values |= new
        known = tuple((name, value) for name, value in sorted(values.items()) if value is not None)
        self._publish(IndicatorBar(bar=bars[-1], values=known))
        return {name: None if value is None else str(value) for name, value in sorted(values.items())}

    def _needed(self, day: date, instrument_id: InstrumentId, minutes: int) -> tuple[str, ...]:
        members = cast("set[str]", self._valkey.smembers(NEEDS_KEY.format(venue=self._venue, day=day)))
        return parse_needs(members).get((instrument_id, minutes), ())

    def _values(
        self, names: Sequence[str], bars: Sequence[Bar], session: TradingSession
    ) -> dict[str, Decimal | None]:
        values: dict[str, Decimal | None] = {}
        for name in names:
            try:
                values |= self._compute([name], bars, session.open_at)
            except InvalidInputError as e:
                # One user's unknown name must not keep the bar from the others; it stays in warm-up.
                log.warning("indicator_unknown", name=name, error=str(e))
                values[name] = None
        return values

    def _publish(self, indicator_bar: IndicatorBar) -> None:
        fields = cast("dict[Any, Any]", encode_bar(indicator_bar))
        stream = BARS_STREAM.format(venue=self._venue)
        self._valkey.xadd(stream, fields, maxlen=KEEP_BARS, approximate=True)
