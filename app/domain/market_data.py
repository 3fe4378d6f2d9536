"""Carry prices: ticks, quotes and bars."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from app.domain.ids import InstrumentId


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Carry one price of one instrument.

    `bid` and `ask` are None for indices. `sequence` is the feed's number, growing per feed; every
    tick of one exchange instant shares `ts_event`.
    """

    instrument_id: InstrumentId
    last: Decimal
    bid: Decimal | None
    ask: Decimal | None
    ts_event: datetime
    ts_init: datetime
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BarSpec:
    """Name a bar length. `minutes` >= 1."""

    minutes: int

    @property
    def length(self) -> timedelta:
        """Length of one bar."""
        return timedelta(minutes=self.minutes)

    def __str__(self) -> str:
        return f"{self.minutes}m"


ONE_MINUTE = BarSpec(minutes=1)
FIVE_MINUTES = BarSpec(minutes=5)
FIFTEEN_MINUTES = BarSpec(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Carry one closed OHLCV bar. `start` labels it; the bar covers [start, start + length)."""

    instrument_id: InstrumentId
    spec: BarSpec
    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    @property
    def end(self) -> datetime:
        """The instant from which the bar is closed."""
        return self.start + self.spec.length


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorBar:
    """Carry a closed bar with the indicator values computed once for all users at its close.

    `values` holds names such as "opening_range_high" or "atr_14"; a missing name means warm-up.
    """

    bar: Bar
    values: tuple[tuple[str, Decimal], ...]

    def value(self, name: str) -> Decimal | None:
        """Return the named value, or None while it warms up."""
        return dict(self.values).get(name)
