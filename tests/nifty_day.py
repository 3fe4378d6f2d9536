"""Replay a real NIFTY day: ticks and bars of the index, and an option chain priced by a plain rule."""

import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from app.domain.bars import merge_bars
from app.domain.calendar_rules import SessionKind, TradingSession
from app.domain.ids import InstrumentId, SignalKey
from app.domain.instruments import Instrument, InstrumentKind, OptionRight, OptionTerms, Venue, option_id
from app.domain.market_data import FIVE_MINUTES, ONE_MINUTE, Bar, IndicatorBar, Tick
from app.domain.numbers import ZERO, Rounding, to_tick
from app.domain.orders import Side
from app.domain.signals import Signal, SignalKind
from app.domain.strategy import BarEvent, LegView, Strategy, StrategyEvent, StrategyView, TickEvent
from app.engine.engine import process
from app.services.loops.market import Contracts
from tests.unit.domain.calendars import ist

NIFTY = InstrumentId("NIFTY.NSE")
DAY = date(2019, 1, 2)
TICK = Decimal("0.05")
LOT = Decimal(65)
_FOLDER = Path(__file__).parents[1] / "brokers/simulators/data/nse/nifty50_1m"


def session_of(day: date) -> TradingSession:
    """Return 09:15 to 15:30 of a day."""
    return TradingSession(
        venue=Venue.NSE,
        segment="FO",
        date=day,
        open_at=ist(day, 9, 15),
        close_at=ist(day, 15, 30),
        kind=SessionKind.REGULAR,
        source="test",
    )


def index() -> Instrument:
    """Return the NIFTY index."""
    return Instrument(
        instrument_id=NIFTY,
        venue=Venue.NSE,
        kind=InstrumentKind.INDEX,
        segment="nse_cm",
        broker_symbol="Nifty 50",
        broker_token="26000",
        tick_size=TICK,
        lot_size=Decimal(1),
    )


def option(strike: int, right: OptionRight, expiry: date) -> Instrument:
    """Return one NIFTY option."""
    instrument_id = option_id("NIFTY", expiry=expiry, strike=Decimal(strike), right=right)
    return Instrument(
        instrument_id=instrument_id,
        venue=Venue.NSE,
        kind=InstrumentKind.OPTION,
        segment="nse_fo",
        broker_symbol=instrument_id,
        broker_token=f"{expiry:%m%d}{strike}{right}",
        tick_size=TICK,
        lot_size=LOT,
        freeze_qty=Decimal(1800),
        option=OptionTerms(underlying=NIFTY, expiry=expiry, strike=Decimal(strike), right=right),
    )


def chain(expiries: Sequence[date], strikes: range = range(10300, 11300, 50)) -> list[Instrument]:
    """Return the index and both rights of every strike and expiry."""
    return [index(), *(option(s, r, e) for e in expiries for s in strikes for r in OptionRight)]


def weekly_expiries(day: date) -> list[date]:
    """Return the two nearest Thursdays, today included."""
    first = day + timedelta(days=(3 - day.weekday()) % 7)
    return [first, first + timedelta(days=7)]


def minutes_of(day: date) -> list[Bar]:
    """Return the one-minute bars of the session."""
    with zipfile.ZipFile(_FOLDER / f"{day:%Y%m%d}_trade.zip") as archive:
        rows = archive.read(archive.namelist()[0]).decode("ascii").split()
    bars = [_bar(day, row) for row in rows]
    return [bar for bar in bars if session_of(day).contains(bar.start)]


def _bar(day: date, row: str) -> Bar:
    since_midnight_ms, *prices = row.split(",")
    opens, high, low, close, _ = map(Decimal, prices)
    start = ist(day, 0) + timedelta(milliseconds=int(since_midnight_ms))
    return Bar(
        instrument_id=NIFTY,
        spec=ONE_MINUTE,
        start=start,
        open=opens,
        high=high,
        low=low,
        close=close,
        volume=ZERO,
    )


def path_of(bars: Sequence[Bar]) -> Iterator[tuple[datetime, Decimal]]:
    """Yield the index four times a minute: open, high, low, close."""
    for bar in bars:
        for second, price in zip((0, 15, 30, 45), (bar.open, bar.high, bar.low, bar.close), strict=True):
            yield bar.start + timedelta(seconds=second), price


def premium(terms: OptionTerms, spot: Decimal) -> Decimal:
    """Price an option: intrinsic value and a time value that fades with the distance to the strike."""
    sign = 1 if terms.right is OptionRight.CALL else -1
    inside = max(ZERO, sign * (spot - terms.strike))
    fade = 60 * math.exp(-abs(float(spot - terms.strike)) / 150)
    return to_tick(inside + Decimal(round(fade, 4)), TICK, Rounding.NEAREST) + TICK


def tick(instrument: Instrument, spot: Decimal, at: datetime) -> Tick:
    """Return the tick of an instrument when the index stands at `spot`."""
    if instrument.option is None:
        last, bid, ask = spot, None, None
    else:
        last = premium(instrument.option, spot)
        bid, ask = last - TICK, last + TICK
    return Tick(
        instrument_id=instrument.instrument_id,
        last=last,
        bid=bid,
        ask=ask,
        ts_event=at,
        ts_init=at,
        sequence=1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedMarket:
    """Show every contract priced from one index level."""

    contracts: Contracts
    spot: Decimal
    at: datetime

    def tick(self, instrument_id: InstrumentId) -> Tick | None:
        return tick(self.instrument(instrument_id), self.spot, self.at)

    def instrument(self, instrument_id: InstrumentId) -> Instrument:
        return self.contracts.instrument(instrument_id)

    def options(self, underlying: InstrumentId) -> Sequence[Instrument]:
        return self.contracts.options(underlying)


def replay_day(
    strategy: Strategy, day: date, *, cut: datetime | None = None
) -> list[tuple[datetime, Signal]]:
    """Return what a strategy wishes on a real day, with entries filled at once and exits too.

    Args:
        strategy: what is asked.
        day: one of 1 to 4 January 2019.
        cut: data from this moment on are withheld.
    """
    from strategies.indicators import compute  # brings pandas; those who only want prices need not wait

    session, contracts = session_of(day), Contracts(chain(weekly_expiries(day)))
    minutes = [bar for bar in minutes_of(day) if cut is None or bar.start < cut]
    bars = {spec: merge_bars(minutes, spec, session) for spec in (ONE_MINUTE, FIVE_MINUTES)}
    needed = {need.spec: need.names for need in strategy.indicator_needs()}
    wished: list[tuple[datetime, Signal]] = []
    legs: dict[InstrumentId, LegView] = {}
    for at, spot in path_of(minutes):
        if cut is not None and at >= cut:
            break
        market = PricedMarket(contracts=contracts, spot=spot, at=at)
        events: list[StrategyEvent] = [TickEvent(ts_event=at)]
        for spec, names in needed.items():
            count, rest = divmod(at - session.open_at, spec.length)
            if count and not rest:
                closed = bars[spec][:count]
                found = compute(names, closed, session.open_at).items()
                values = tuple((name, value) for name, value in found if value is not None)
                events.append(BarEvent(indicator_bar=IndicatorBar(bar=closed[-1], values=values)))
        for event in events:
            view = StrategyView(
                now=at,
                session_open=session.open_at,
                session_close=session.close_at,
                market=market,
                emitted=frozenset(SignalKey(signal.key) for _, signal in wished),
                legs=legs,
            )
            for signal in process(strategy, event, view).signals:
                wished.append((at, signal))
                _fill(legs, signal)
    return wished


def _fill(legs: dict[InstrumentId, LegView], signal: Signal) -> None:
    for leg in signal.legs:
        legs[leg.instrument_id] = LegView(
            instrument_id=leg.instrument_id,
            net_qty=LOT * leg.lots * (1 if leg.side is Side.BUY else -1),
            entry_qty=LOT * leg.lots,
            entry_px=leg.reference_price,
            is_stopped=False,
        )
    if signal.kind is SignalKind.EXIT:
        for instrument_id, held in list(legs.items()):
            if signal.instrument_id in (None, instrument_id):
                legs[instrument_id] = LegView(
                    instrument_id=instrument_id,
                    net_qty=ZERO,
                    entry_qty=held.entry_qty,
                    entry_px=held.entry_px,
                    is_stopped=False,
                )
