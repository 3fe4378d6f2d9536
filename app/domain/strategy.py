"""Name the port that strategies implement, and the read-only view that they decide on.

A strategy is a pure function of an event and a view. It keeps no memory: what it did today stands
in `StrategyView.emitted` (keys of its recorded signals) and `positions`, both rebuilt from the
database after a restart, so a rerun wishes the same thing under the same key or nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from app.domain.ids import InstrumentId, SignalKey
from app.domain.instruments import Instrument
from app.domain.market_data import BarSpec, IndicatorBar, Tick
from app.domain.orders import OrderRole
from app.domain.signals import Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class TickEvent:
    """Tell that a round of ticks of one exchange instant arrived; the view holds them all."""

    ts_event: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BarEvent:
    """Tell that a bar closed and its indicators are known."""

    indicator_bar: IndicatorBar


@dataclass(frozen=True, slots=True, kw_only=True)
class FillEvent:
    """Tell that an order of this deployment filled (again)."""

    instrument_id: InstrumentId
    role: OrderRole
    ts_event: datetime


StrategyEvent = TickEvent | BarEvent | FillEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class LegView:
    """Show one instrument that the deployment has traded today.

    `net_qty` in units, negative is short; `entry_qty` and `entry_px` (average) cover all entry fills of the
    day; `is_stopped` says that a protective stop closed it. `exit_reason` says why it shall be flat or was
    closed; None where nobody asked for that.
    """

    instrument_id: InstrumentId
    net_qty: Decimal
    entry_qty: Decimal
    entry_px: Decimal
    is_stopped: bool
    exit_reason: str | None = None


class MarketView(Protocol):
    """Show the market as of now; shared, immutable for the time of one event."""

    def tick(self, instrument_id: InstrumentId) -> Tick | None:
        """Return the latest tick, or None before the first one."""

    def instrument(self, instrument_id: InstrumentId) -> Instrument:
        """Return the terms of an instrument; raises NotFoundError."""

    def options(self, underlying: InstrumentId) -> Sequence[Instrument]:
        """Return the day's option contracts of an underlying, nearest expiry first, then by strike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyView:
    """Show a strategy everything that it may decide on."""

    now: datetime
    session_open: datetime
    session_close: datetime
    market: MarketView
    emitted: frozenset[SignalKey]
    legs: Mapping[InstrumentId, LegView]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorNeed:
    """Ask for indicators at each close of a bar, computed once for everybody who asks the same.

    `names` such as "opening_range_high:15", "opening_range_low:15", "atr:14".
    """

    instrument_id: InstrumentId
    spec: BarSpec
    names: tuple[str, ...]


class Strategy(Protocol):
    """Wish signals. Instances hold their frozen parameters only; no I/O, no clock, no logger."""

    def indicator_needs(self) -> Sequence[IndicatorNeed]:
        """Return the indicators that `on_event` wants to see."""

    def on_event(self, event: StrategyEvent, view: StrategyView) -> Sequence[Signal]:
        """Return what the strategy wishes now; usually nothing."""
