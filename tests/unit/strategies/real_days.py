"""Replay real days of bitcoin and euros: quotes four times a minute, bars, fills at once, resting stops."""

import csv
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

from app.domain.bars import bar_start, merge_bars
from app.domain.calendar_rules import SessionKind, TradingSession
from app.domain.ids import InstrumentId, SignalKey
from app.domain.instruments import Instrument, InstrumentKind, Venue
from app.domain.market_data import ONE_MINUTE, Bar, IndicatorBar, Tick
from app.domain.numbers import ZERO
from app.domain.orders import Side
from app.domain.signals import Signal, SignalKind
from app.domain.strategy import (
    BarEvent,
    IndicatorNeed,
    LegView,
    Strategy,
    StrategyEvent,
    StrategyView,
    TickEvent,
)
from app.engine.engine import process
from app.services.loops.market import Contracts, MarketSnapshot
from strategies.indicators import compute

_DATA = Path(__file__).parents[2] / "data"
PERPETUAL = InstrumentId("BTCUSDT-PERP.BINANCE")
SPOT = InstrumentId("BTCUSDT.BINANCE")
EURUSD = InstrumentId("EURUSD.MT5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """Hold the bar of a minute, made of bids, and the spread at its four prices."""

    bar: Bar
    spreads: tuple[Decimal, ...]

    def quotes(self) -> Iterator[tuple[datetime, Decimal, Decimal]]:
        """Yield (moment, bid, ask): open, high, low, close."""
        prices = (self.bar.open, self.bar.high, self.bar.low, self.bar.close)
        for second, bid, spread in zip((0, 15, 30, 45), prices, self.spreads, strict=True):
            yield self.bar.start + timedelta(seconds=second), bid, bid + spread


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RealDay:
    """Hold one session of one instrument; each is like itself only."""

    session: TradingSession
    instrument: Instrument
    minutes: Sequence[Minute]


def bitcoin(instrument_id: InstrumentId = PERPETUAL) -> Instrument:
    """Return the perpetual, or the spot pair, with the steps that Binance lists."""
    is_spot = instrument_id == SPOT
    return Instrument(
        instrument_id=instrument_id,
        venue=Venue.BINANCE,
        kind=InstrumentKind.SPOT if is_spot else InstrumentKind.PERPETUAL,
        segment="SPOT" if is_spot else "USDM",
        broker_symbol="BTCUSDT",
        broker_token="BTCUSDT",
        tick_size=Decimal("0.01") if is_spot else Decimal("0.1"),
        lot_size=Decimal("0.00001") if is_spot else Decimal("0.001"),
        min_notional=Decimal(5) if is_spot else Decimal(100),
        currency="USDT",
    )


def euro() -> Instrument:
    """Return EURUSD in steps of a hundredth of a forex lot."""
    return Instrument(
        instrument_id=EURUSD,
        venue=Venue.MT5,
        kind=InstrumentKind.FOREX,
        segment="FOREX",
        broker_symbol="EURUSD",
        broker_token="EURUSD",
        tick_size=Decimal("0.00001"),
        lot_size=Decimal(1000),
        contract_size=Decimal(100_000),
        currency="USD",
    )


def session_between(venue: Venue, day: date, opens: datetime, closes: datetime) -> TradingSession:
    """Return a session of a day."""
    return TradingSession(
        venue=venue,
        segment="TEST",
        date=day,
        open_at=opens,
        close_at=closes,
        kind=SessionKind.REGULAR,
        source="test",
    )


def utc_day(day: date) -> TradingSession:
    """Return the UTC day of Binance."""
    opens = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return session_between(Venue.BINANCE, day, opens, opens + timedelta(days=1))


def bitcoin_day(day: date, instrument_id: InstrumentId = PERPETUAL) -> RealDay:
    """Return a UTC day of December 2024, the 6th or the 15th; the perpetual gets the spot's prices."""
    with (_DATA / f"crypto/{day:%Y%m%d}_btcusdt_minute.csv").open(encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    minutes = []
    for row in rows:
        closes = datetime.fromisoformat(row["close_datetime"]).astimezone(UTC)
        prices = [row[name] for name in ("open", "high", "low", "close")]
        bar = minute_bar(instrument_id, closes.replace(second=0, microsecond=0), prices)
        minutes.append(Minute(bar=bar, spreads=(Decimal("0.1"),) * 4))
    return RealDay(session=utc_day(day), instrument=bitcoin(instrument_id), minutes=minutes)


def euro_day(day: date) -> RealDay:
    """Return the forex session of a day of May 2014: from 17:05 New York, on Sunday 17:00, to 16:59."""
    eve = datetime(day.year, day.month, day.day, 21, tzinfo=UTC) - timedelta(days=1)
    opens = eve if day.weekday() == 0 else eve + timedelta(minutes=5)
    session = session_between(Venue.MT5, day, opens, eve + timedelta(hours=23, minutes=59))
    found = [minute for part in (day - timedelta(days=1), day) for minute in _quoted_minutes(part)]
    minutes = [minute for minute in found if session.contains(minute.bar.start)]
    return RealDay(session=session, instrument=euro(), minutes=minutes)


def _quoted_minutes(day: date) -> Iterator[Minute]:
    with zipfile.ZipFile(_DATA / f"forex/{day:%Y%m%d}_eurusd_minute_quote.zip") as archive:
        rows = archive.read(archive.namelist()[0]).decode("ascii").split()
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    for row in rows:
        since_midnight_ms, *fields = row.split(",")
        bids, asks = fields[:4], fields[5:9]
        bar = minute_bar(EURUSD, midnight + timedelta(milliseconds=int(since_midnight_ms)), bids)
        spreads = tuple(Decimal(ask) - Decimal(bid) for bid, ask in zip(bids, asks, strict=True))
        yield Minute(bar=bar, spreads=spreads)


def minute_bar(instrument_id: InstrumentId, start: datetime, prices: Sequence[str]) -> Bar:
    """Return a one-minute bar of four prices."""
    first, high, low, close = map(Decimal, prices)
    return Bar(
        instrument_id=instrument_id,
        spec=ONE_MINUTE,
        start=start,
        open=first,
        high=high,
        low=low,
        close=close,
        volume=ZERO,
    )


@cache
def bar_events(
    day: RealDay, need: IndicatorNeed, cut: datetime | None
) -> Sequence[tuple[datetime, StrategyEvent]]:
    """Return the bars that a strategy needs, with the moments at which they closed."""
    found: list[tuple[datetime, StrategyEvent]] = []
    bars = merge_bars(
        (m.bar for m in day.minutes if cut is None or m.bar.start < cut), need.spec, day.session
    )
    for i, bar in enumerate(bars):
        closed_at = bar_start(bar.end, need.spec, day.session)  # a short first bar closes earlier
        computed = compute(need.names, bars[: i + 1], day.session.open_at).items()
        values = tuple((name, value) for name, value in computed if value is not None)
        found.append((closed_at, BarEvent(indicator_bar=IndicatorBar(bar=bar, values=values))))
    return found


class Replay:
    """Play a day to a strategy and keep what it wished, on which view and when.

    Entries fill at once at the price that the signal names, exits at the bid; a stop at its fraction of the
    average of all entries goes off at the first price that reaches it.
    """

    def __init__(self, strategy: Strategy, day: RealDay) -> None:
        self._strategy = strategy
        self._day = day
        self._leg: LegView | None = None
        self._fraction = ZERO
        self.wished: list[tuple[datetime, Signal]] = []
        self.asked: list[tuple[StrategyEvent, StrategyView]] = []

    def run(self, *, cut: datetime | None = None) -> list[tuple[datetime, Signal]]:
        """Return what was wished and when; data from `cut` on are withheld."""
        shown = [m for m in self._day.minutes if cut is None or m.bar.start < cut]
        needs = self._strategy.indicator_needs()
        events_of_bars = (event for need in needs for event in bar_events(self._day, need, cut))
        waiting = sorted(events_of_bars, key=lambda item: item[0])
        for minute in shown:
            for at, bid, ask in minute.quotes():
                self._trigger(bid)
                events: list[StrategyEvent] = [TickEvent(ts_event=at)]
                while waiting and waiting[0][0] <= at:
                    events.append(waiting.pop(0)[1])
                for event in events:
                    self._ask(event, self._view(at, bid, ask))
        return self.wished

    def _view(self, at: datetime, bid: Decimal, ask: Decimal) -> StrategyView:
        instrument, session = self._day.instrument, self._day.session
        tick = quote(instrument.instrument_id, at, bid, ask)
        return StrategyView(
            now=at,
            session_open=session.open_at,
            session_close=session.close_at,
            market=MarketSnapshot(
                contracts=Contracts([instrument]), ticks={instrument.instrument_id: tick}, now=at
            ),
            emitted=frozenset(SignalKey(signal.key) for _, signal in self.wished),
            legs={} if self._leg is None else {instrument.instrument_id: self._leg},
        )

    def _ask(self, event: StrategyEvent, view: StrategyView) -> None:
        self.asked.append((event, view))
        for signal in process(self._strategy, event, view).signals:
            self.wished.append((view.now, signal))
            if signal.kind is SignalKind.EXIT and self._leg is not None:
                self._leg = replace(self._leg, net_qty=ZERO)
            elif signal.kind is SignalKind.ENTER:
                self._fill(signal)

    def _fill(self, signal: Signal) -> None:
        (leg,) = signal.legs
        assert leg.protection is not None
        assert self._leg is None or self._leg.net_qty == 0
        quantity = leg.lots * self._day.instrument.lot_size
        before, worth = (
            (ZERO, ZERO)
            if self._leg is None
            else (self._leg.entry_qty, self._leg.entry_qty * self._leg.entry_px)
        )
        self._fraction = leg.protection.stop_fraction
        self._leg = LegView(
            instrument_id=leg.instrument_id,
            net_qty=quantity if leg.side is Side.BUY else -quantity,
            entry_qty=before + quantity,
            entry_px=(worth + quantity * leg.reference_price) / (before + quantity),
            is_stopped=self._leg is not None and self._leg.is_stopped,
        )

    def _trigger(self, price: Decimal) -> None:
        leg = self._leg
        if leg is None or leg.net_qty == 0:
            return
        sign = 1 if leg.net_qty > 0 else -1
        if sign * (price - leg.entry_px * (1 - sign * self._fraction)) <= 0:
            self._leg = replace(leg, net_qty=ZERO, is_stopped=True)


def quote(instrument_id: InstrumentId, at: datetime, bid: Decimal, ask: Decimal) -> Tick:
    """Return a tick whose last price is the bid."""
    return Tick(instrument_id=instrument_id, last=bid, bid=bid, ask=ask, ts_event=at, ts_init=at, sequence=1)
