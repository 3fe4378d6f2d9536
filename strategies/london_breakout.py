"""Trade the first close outside the Asian range once London is awake (S9)."""

from collections.abc import Sequence
from dataclasses import dataclass as plain_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, ValidationInfo, field_validator
from pydantic.dataclasses import dataclass

from app.domain.ids import InstrumentId, SignalKey
from app.domain.market_data import FIFTEEN_MINUTES, ONE_MINUTE, Bar, IndicatorBar, Tick
from app.domain.orders import ProtectionTerms, Side
from app.domain.signals import Signal, SignalKind, SignalLeg
from app.domain.strategy import BarEvent, IndicatorNeed, LegView, StrategyEvent, StrategyView
from strategies.registry import StrategyDefinition
from strategies.stamps import read_stamp, stamp
from strategies.stops import stop_fraction

_RULE = "london"
_CHECKED = ConfigDict(extra="forbid", validate_default=True)  # a default may not fit what was chosen
_EXIT_BARS = ONE_MINUTE
_SIGNAL_BARS = FIFTEEN_MINUTES
_Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):(00|15|30|45)$")]


@dataclass(frozen=True, slots=True, kw_only=True, config=_CHECKED)
class LondonBreakoutParams:
    """Set the breakout. Clock times are local times of `timezone`, quarter hours like 07:00."""

    instrument: Annotated[str, Field(description="Currency pair to trade")] = "EURUSD.MT5"
    pip: Annotated[Decimal, Field(gt=0, lt=1, description="One pip of the pair's price")] = Decimal("0.0001")
    lots: Annotated[
        int, Field(ge=1, le=10_000, description="Lots of the trade, of the contract master's size")
    ] = 1
    timezone: Annotated[
        Literal["Europe/London", "UTC"], Field(description="Clock of the times; London has summer time")
    ] = "Europe/London"
    range_from: Annotated[_Clock, Field(description="Begin of the Asian range")] = "00:00"
    range_until: Annotated[_Clock, Field(description="End of the Asian range, entries begin")] = "07:00"
    last_entry: Annotated[_Clock, Field(description="No entry after this")] = "10:00"
    flat_at: Annotated[_Clock, Field(description="Close what is held")] = "16:00"
    min_range_pips: Annotated[
        Decimal, Field(ge=0, le=1000, description="No trade when the range is narrower")
    ] = Decimal(20)
    max_range_pips: Annotated[
        Decimal, Field(gt=0, le=1000, description="No trade when the range is wider")
    ] = Decimal(60)
    max_spread_pips: Annotated[
        Decimal, Field(gt=0, le=100, description="No entry when bid and ask are further apart")
    ] = Decimal(2)
    stop_at: Annotated[
        Literal["opposite", "middle"], Field(description="Stop at the opposite edge or in the middle")
    ] = "opposite"
    breakeven_multiple: Annotated[
        Decimal,
        Field(gt=0, le=20, description="Ranges beyond the edge from which on the entry price is the stop"),
    ] = Decimal(1)
    target_multiple: Annotated[
        Decimal, Field(gt=0, le=20, description="Target beyond the edge, in widths of the range")
    ] = Decimal(2)
    max_delay_s: Annotated[
        int, Field(ge=1, le=300, description="No entry on a bar that closed longer ago than this")
    ] = 60
    valid_for_s: Annotated[
        Decimal, Field(gt=0, le=120, description="Real seconds after which an unsent entry is dropped")
    ] = Decimal(20)

    @field_validator("range_until", "last_entry", "flat_at")
    @classmethod
    def _in_order(cls, clock: str, info: ValidationInfo) -> str:
        times = ("range_from", "range_until", "last_entry", "flat_at")
        before = info.data.get(times[times.index(str(info.field_name)) - 1])
        if before is not None and clock <= before:
            raise ValueError(f"expected a time after {before}")
        return clock

    @field_validator("max_range_pips")
    @classmethod
    def _widest_above_narrowest(cls, widest: Decimal, info: ValidationInfo) -> Decimal:
        narrowest = info.data.get("min_range_pips")
        if narrowest is not None and widest < narrowest:
            raise ValueError(f"expected at least the narrowest range, {narrowest}")
        return widest


@plain_dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    high: Decimal
    low: Decimal

    @property
    def width(self) -> Decimal:
        return self.high - self.low

    def edge(self, side: Side) -> Decimal:
        return self.high if side is Side.BUY else self.low

    def widths_beyond(self, side: Side, price: Decimal) -> Decimal:
        return side.sign * (price - self.edge(side)) / self.width


class LondonBreakout:
    """Trade once a day, in the direction of the first bar after the range that closes outside it.

    The stop rests at the venue. Exits are judged on one-minute closes: at the target, or back at the entry
    price once the market had gone `breakeven_multiple` ranges beyond the edge since the range ended; and on
    the first tick from `flat_at` on. The first target of S9 takes half of the position: a signal can close an
    instrument only as a whole, so here it moves the stop and takes nothing.
    """

    def __init__(self, params: LondonBreakoutParams) -> None:
        self._params = params
        self._instrument = InstrumentId(params.instrument)
        self._zone = ZoneInfo(params.timezone)
        self._range_until, self._last_entry, self._flat_at = (
            time.fromisoformat(clock) for clock in (params.range_until, params.last_entry, params.flat_at)
        )
        begins, ends = params.range_from.replace(":", ""), params.range_until.replace(":", "")
        window = f"{begins}-{ends}@{params.timezone}"
        self._high, self._low, self._breaks = (f"range_{part}:{window}" for part in ("high", "low", "breaks"))
        self._since = {
            Side.BUY: f"since_high:{ends}@{params.timezone}",
            Side.SELL: f"since_low:{ends}@{params.timezone}",
        }

    def indicator_needs(self) -> Sequence[IndicatorNeed]:
        bounds = (self._high, self._low)
        return (
            IndicatorNeed(instrument_id=self._instrument, spec=_SIGNAL_BARS, names=(*bounds, self._breaks)),
            IndicatorNeed(
                instrument_id=self._instrument, spec=_EXIT_BARS, names=(*bounds, *self._since.values())
            ),
        )

    def on_event(self, event: StrategyEvent, view: StrategyView) -> Sequence[Signal]:
        leg = view.legs.get(self._instrument)
        if leg is not None and leg.net_qty != 0 and view.now >= self._at(self._flat_at, view):
            return self._exit("flat", f"it is {self._params.flat_at}", view)
        if not isinstance(event, BarEvent) or event.indicator_bar.bar.instrument_id != self._instrument:
            return ()
        return self._on_bar(event.indicator_bar, leg, view)

    def _on_bar(
        self, indicator_bar: IndicatorBar, leg: LegView | None, view: StrategyView
    ) -> Sequence[Signal]:
        bounds = self._range(indicator_bar)
        if bounds is None:
            return ()
        bar = indicator_bar.bar
        if bar.spec == _EXIT_BARS and leg is not None and leg.net_qty != 0:
            return self._leave(indicator_bar, bounds, leg, view)
        if bar.spec == _SIGNAL_BARS and self._is_first_break(indicator_bar, view):
            return self._enter(bar, bounds, view)
        return ()

    def _at(self, clock: time, view: StrategyView) -> datetime:
        return datetime.combine(self._day(view), clock, tzinfo=self._zone)

    def _day(self, view: StrategyView) -> date:
        # A forex session opens on the evening before its day.
        return view.session_close.astimezone(self._zone).date()

    def _range(self, indicator_bar: IndicatorBar) -> _Range | None:
        high, low = indicator_bar.value(self._high), indicator_bar.value(self._low)
        if high is None or low is None or high <= low:
            return None
        return _Range(high=high, low=low)

    def _is_first_break(self, indicator_bar: IndicatorBar, view: StrategyView) -> bool:
        bar = indicator_bar.bar
        is_late = view.now - bar.end > timedelta(seconds=self._params.max_delay_s)
        is_open = self._at(self._range_until, view) <= bar.start and bar.end <= self._at(
            self._last_entry, view
        )
        is_traded = _entered_on(self._day(view), view) is not None
        return is_open and not is_late and not is_traded and indicator_bar.value(self._breaks) == 1

    def _enter(self, bar: Bar, bounds: _Range, view: StrategyView) -> Sequence[Signal]:
        side = Side.BUY if bar.close > bounds.high else Side.SELL
        tick = view.market.tick(self._instrument)
        if tick is None or tick.ts_event < bar.start or not self._is_worth_it(bar, bounds, side, tick):
            return ()
        stop = bounds.edge(side.opposite)
        if self._params.stop_at == "middle":
            stop = (bounds.high + bounds.low) / 2
        lot_size = view.market.instrument(self._instrument).lot_size
        fraction = stop_fraction(
            side,
            price=tick.last,
            stop=stop,
            quantity=self._params.lots * lot_size,
            leg=view.legs.get(self._instrument),
        )
        if fraction is None:
            return ()
        leg = SignalLeg(
            instrument_id=self._instrument,
            side=side,
            lots=self._params.lots,
            reference_price=tick.last,
            protection=ProtectionTerms(stop_fraction=fraction),
        )
        edge = "above" if side is Side.BUY else "below"
        return (
            Signal(
                key=_entry_key(self._day(view), side, bar),
                kind=SignalKind.ENTER,
                reason=f"closed at {bar.close}, {edge} the range of {bounds.low} to {bounds.high}",
                valid_for_s=self._params.valid_for_s,
                legs=(leg,),
            ),
        )

    def _is_worth_it(self, bar: Bar, bounds: _Range, side: Side, tick: Tick) -> bool:
        pips = bounds.width / self._params.pip
        beyond = bounds.widths_beyond(side, bar.close)
        if not self._params.min_range_pips <= pips <= self._params.max_range_pips:
            return False
        if not 0 < beyond < self._params.target_multiple:
            return False  # inside, or beyond the target: there is nothing left to win
        if tick.bid is None or tick.ask is None:
            return False
        return 0 <= tick.ask - tick.bid <= self._params.max_spread_pips * self._params.pip

    def _leave(
        self, indicator_bar: IndicatorBar, bounds: _Range, leg: LegView, view: StrategyView
    ) -> Sequence[Signal]:
        entered_on = _entered_on(self._day(view), view)
        if entered_on is None or indicator_bar.bar.start < entered_on + _SIGNAL_BARS.length:
            return ()  # the close that made the entry cannot end it
        close = indicator_bar.bar.close
        side = Side.BUY if leg.net_qty > 0 else Side.SELL
        if bounds.widths_beyond(side, close) >= self._params.target_multiple:
            return self._exit("target", f"target: closed at {close}", view)
        best = indicator_bar.value(self._since[side])
        if best is None or bounds.widths_beyond(side, best) < self._params.breakeven_multiple:
            return ()
        if side.sign * (close - leg.entry_px) <= 0:
            return self._exit("breakeven", f"back at the entry: closed at {close} after {best}", view)
        return ()

    def _exit(self, rule: str, reason: str, view: StrategyView) -> Sequence[Signal]:
        key = SignalKey(f"{self._day(view)}:{_RULE}:{rule}")
        if key in view.emitted:
            return ()
        return (
            Signal(
                key=key,
                kind=SignalKind.EXIT,
                reason=reason,
                valid_for_s=self._params.valid_for_s,
                instrument_id=self._instrument,
            ),
        )


def _entry_key(day: date, side: Side, bar: Bar) -> SignalKey:
    return SignalKey(f"{day}:{_RULE}:{'long' if side is Side.BUY else 'short'}:{stamp(bar.start)}")


def _entered_on(day: date, view: StrategyView) -> datetime | None:
    """Return the start of the bar that the day's entry was decided on."""
    for key in view.emitted:
        parts = key.split(":")
        if parts[:2] == [str(day), _RULE] and len(parts) == 4:
            return read_stamp(parts[3])
    return None


STRATEGIES = (
    StrategyDefinition(
        name="london_breakout",
        summary="Trade the first fifteen-minute close outside the Asian range of a currency pair.",
        params=LondonBreakoutParams,
        factory=LondonBreakout,
    ),
)
