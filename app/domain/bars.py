"""Fold ticks into bars of one session, so that every strategy and indicator sees the same bars."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from app.domain.calendar_rules import TradingSession
from app.domain.errors import InvariantError
from app.domain.ids import InstrumentId
from app.domain.market_data import Bar, BarSpec, Tick
from app.domain.numbers import ZERO

_QUARTER = timedelta(minutes=15)


def bar_start(at: datetime, spec: BarSpec, session: TradingSession) -> datetime:
    """Return the start of the bar that covers a moment; bars are counted from the session's open.

    Those of fifteen minutes and more lie on the clock's quarter hours: where a session opens between two
    (forex at 17:05 New York), the first bar is short, as in every chart.
    """
    grid = session.open_at
    if spec.length >= _QUARTER:
        grid -= (grid - datetime.min.replace(tzinfo=UTC)) % _QUARTER
    return max(grid + (at - grid) // spec.length * spec.length, session.open_at)


@dataclass(slots=True)
class _OpenBar:
    # The keys order ticks by the venue's time and the feed's number, so that arrival order does not matter.
    start: datetime
    first: tuple[datetime, int, Decimal]
    last: tuple[datetime, int, Decimal]
    high: Decimal
    low: Decimal

    def apply(self, tick: Tick) -> None:
        key = (tick.ts_event, tick.sequence, tick.last)
        self.first = min(self.first, key)
        self.last = max(self.last, key)
        self.high = max(self.high, tick.last)
        self.low = min(self.low, tick.last)


class BarBuilder:
    """Build the bars of one instrument and length in one session. Not thread-safe: one builder, one owner.

    Bars carry their start. A minute without ticks has no bar. Volume is zero: ticks do not carry it. The last
    bar of a session that is no multiple of the length ends with the session.

    A tick outside the session (a 09:07 pre-open print, a post-close tick) is dropped and counted in
    `outside_count`; a tick for a bar that is already closed is never applied, because others have acted on
    the bar, and counted in `late_count`.
    """

    __slots__ = (
        "_closed_until",
        "_instrument_id",
        "_open",
        "_session",
        "_spec",
        "late_count",
        "outside_count",
    )

    def __init__(self, instrument_id: InstrumentId, spec: BarSpec, session: TradingSession) -> None:
        self._instrument_id = instrument_id
        self._spec = spec
        self._session = session
        self._open: _OpenBar | None = None
        self._closed_until = session.open_at
        self.late_count = 0
        self.outside_count = 0

    def on_tick(self, tick: Tick) -> Bar | None:
        """Apply a tick; return the bar that it closes, which is the one before its own.

        Raises:
            InvariantError: the tick belongs to another instrument.
        """
        if tick.instrument_id != self._instrument_id:
            raise InvariantError(f"expected ticks of {self._instrument_id}, got {tick.instrument_id}")
        if not self._session.contains(tick.ts_event):
            self.outside_count += 1
            return None
        if tick.ts_event < self._closed_until:
            self.late_count += 1
            return None
        start = bar_start(tick.ts_event, self._spec, self._session)
        closed = self._close_before(start)
        if self._open is None:
            key = (tick.ts_event, tick.sequence, tick.last)
            self._open = _OpenBar(start=start, first=key, last=key, high=tick.last, low=tick.last)
        else:
            self._open.apply(tick)
        return closed

    def on_time(self, at: datetime) -> Bar | None:
        """Close the open bar once its time is over, without waiting for a tick; return it.

        From then on ticks before `at`'s own bar are late. To allow stragglers pass the time minus a grace.
        """
        if at >= self._session.close_at:
            return self._close_before(self._session.close_at)
        return self._close_before(bar_start(at, self._spec, self._session))

    def _close_before(self, boundary: datetime) -> Bar | None:
        self._closed_until = max(self._closed_until, boundary)
        current = self._open
        if current is None or current.start >= boundary:
            return None
        self._open = None
        return Bar(
            instrument_id=self._instrument_id,
            spec=self._spec,
            start=current.start,
            open=current.first[2],
            high=current.high,
            low=current.low,
            close=current.last[2],
            volume=ZERO,
        )


def merge_bars(bars: Iterable[Bar], spec: BarSpec, session: TradingSession) -> tuple[Bar, ...]:
    """Merge one instrument's shorter bars, oldest first, into longer ones that start on the session's grid.

    The caller decides whether the last bar is complete; bars that start outside the session are dropped.
    """
    merged: dict[datetime, Bar] = {}
    for bar in bars:
        if not session.contains(bar.start):
            continue
        start = bar_start(bar.start, spec, session)
        before = merged.get(start)
        merged[start] = Bar(
            instrument_id=bar.instrument_id,
            spec=spec,
            start=start,
            open=bar.open if before is None else before.open,
            high=bar.high if before is None else max(before.high, bar.high),
            low=bar.low if before is None else min(before.low, bar.low),
            close=bar.close,
            volume=bar.volume if before is None else before.volume + bar.volume,
        )
    return tuple(merged.values())
