"""Build views for strategies on 2 January 2019."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from app.domain.ids import InstrumentId, SignalKey
from app.domain.instruments import Instrument
from app.domain.market_data import Bar, BarSpec, IndicatorBar, Tick
from app.domain.numbers import ZERO
from app.domain.strategy import BarEvent, LegView, StrategyView, TickEvent
from app.services.loops.market import Contracts, MarketSnapshot
from tests.nifty_day import DAY, NIFTY, chain, session_of, tick, weekly_expiries

OPEN = session_of(DAY).open_at


def view(
    *,
    at: timedelta,
    spot: str = "10868.70",
    emitted: Iterable[str] = (),
    legs: Iterable[LegView] = (),
    instruments: Iterable[Instrument] | None = None,
    missing: Iterable[InstrumentId] = (),
    tick_at: datetime | None = None,
    day: date = DAY,
) -> StrategyView:
    """Show the market at a distance from the open."""
    session = session_of(day)
    listed = list(chain(weekly_expiries(day)) if instruments is None else instruments)
    now = session.open_at + at
    ticks = {
        i.instrument_id: tick(i, Decimal(spot), now if tick_at is None else tick_at)
        for i in listed
        if i.instrument_id not in set(missing)
    }
    return StrategyView(
        now=now,
        session_open=session.open_at,
        session_close=session.close_at,
        market=MarketSnapshot(contracts=Contracts(listed), ticks=ticks, now=now),
        emitted=frozenset(map(SignalKey, emitted)),
        legs={leg.instrument_id: leg for leg in legs},
    )


def leg(instrument_id: str, net_qty: int, *, entry_qty: int = 65) -> LegView:
    """Show a leg of one lot."""
    return LegView(
        instrument_id=InstrumentId(instrument_id),
        net_qty=Decimal(net_qty),
        entry_qty=Decimal(entry_qty),
        entry_px=Decimal(50),
        is_stopped=False,
    )


def tick_event(at: timedelta) -> TickEvent:
    """Tell a round at a distance from the open."""
    return TickEvent(ts_event=OPEN + at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Hold an opening range of 30 points."""

    open: Decimal = Decimal(10860)
    high: Decimal = Decimal(10880)
    low: Decimal = Decimal(10850)
    names: tuple[str, ...] = field(default=("open", "high", "low"))

    def values(self) -> tuple[tuple[str, Decimal], ...]:
        """Return the range as indicators."""
        return tuple((f"opening_range_{name}:15", getattr(self, name)) for name in self.names)


def bar_event(end: timedelta, close: str, *, minutes: int = 5, bounds: Range | None = None) -> BarEvent:
    """Tell that a bar closed, with the opening range known."""
    spec, price = BarSpec(minutes=minutes), Decimal(close)
    bar = Bar(
        instrument_id=NIFTY,
        spec=spec,
        start=OPEN + end - spec.length,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=ZERO,
    )
    values = (Range() if bounds is None else bounds).values()
    return BarEvent(indicator_bar=IndicatorBar(bar=bar, values=values))


__all__ = ["OPEN", "Range", "Tick", "bar_event", "leg", "tick_event", "view"]
