"""Follow the cross of two moving averages while the market moves one way (S5)."""

from collections.abc import Sequence
from dataclasses import dataclass as plain_dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator
from pydantic.dataclasses import dataclass

from app.domain.exit_terms import ExitTerms, TrueRange
from app.domain.ids import InstrumentId, SignalKey
from app.domain.instruments import InstrumentKind
from app.domain.market_data import FIFTEEN_MINUTES, Bar, IndicatorBar
from app.domain.orders import ProtectionTerms, Side
from app.domain.signals import Signal, SignalKind, SignalLeg
from app.domain.strategy import BarEvent, IndicatorNeed, LegView, StrategyEvent, StrategyView
from strategies.exit_params import RangesOrNone, TimeStop, range_exits
from strategies.registry import StrategyDefinition
from strategies.stamps import read_stamp, stamp
from strategies.stops import stop_fraction

_BARS = FIFTEEN_MINUTES
_RULE = "ema_cross"
_CHECKED = ConfigDict(extra="forbid", validate_default=True)  # a default may not fit what was chosen


@dataclass(frozen=True, slots=True, kw_only=True, config=_CHECKED)
class EmaCrossParams:
    """Set the trend follower. Bars are of fifteen minutes; money is in the instrument's currency."""

    instrument: Annotated[
        str, Field(description="Perpetual to trade both ways, or a spot pair, which is only bought")
    ] = "BTCUSDT-PERP.BINANCE"
    sides: Annotated[
        Literal["both", "long"], Field(description="Trade both ways, or never sell short; spot never does")
    ] = "both"
    fast: Annotated[int, Field(ge=2, le=100, description="Bars of the fast average")] = 9
    slow: Annotated[int, Field(ge=3, le=200, description="Bars of the slow average, more than the fast")] = 21
    adx_period: Annotated[int, Field(ge=2, le=50, description="Bars of the directional index")] = 14
    min_adx: Annotated[
        Decimal, Field(ge=0, lt=100, description="Enter only with the directional index above this")
    ] = Decimal(20)
    atr_period: Annotated[int, Field(ge=1, le=100, description="Bars of the average true range")] = 14
    capital: Annotated[
        Decimal, Field(gt=0, le=100_000_000, description="Money that the size of a trade is reckoned from")
    ] = Decimal(10_000)
    risk_fraction: Annotated[
        Decimal, Field(gt=0, le="0.05", description="Part of the capital that a trade loses at its stop")
    ] = Decimal("0.01")
    max_leverage: Annotated[
        Decimal, Field(gt=0, le=20, description="Most value of a trade, in capitals; spot never above 1")
    ] = Decimal(3)
    stop_atr: Annotated[
        Decimal, Field(gt=0, le=10, description="Distance of the stop from the entry, in true ranges")
    ] = Decimal(2)
    trail_atr: Annotated[
        Decimal, Field(gt=0, le=20, description="Exit this far from the best price, in true ranges")
    ] = Decimal(3)
    target_atr: Annotated[
        RangesOrNone, Field(description="Leave at this gain, in true ranges as of the entry; empty: none")
    ] = None
    resting_trail_atr: Annotated[
        RangesOrNone,
        Field(description="Move the resting stop along at this distance, in true ranges of the newest bar"),
    ] = None
    break_even_atr: Annotated[
        RangesOrNone, Field(description="Stop to the entry price at this gain, in true ranges; empty: never")
    ] = None
    time_stop_s: TimeStop = None
    cooldown_bars: Annotated[int, Field(ge=0, le=96, description="Bars without an entry after a stop")] = 2
    max_entries: Annotated[int, Field(ge=1, le=50, description="Most entries of a day")] = 6
    flat_before_close_minutes: Annotated[
        int,
        Field(ge=15, le=720, multiple_of=15, description="Close, and enter no more, before the day ends"),
    ] = 15
    max_delay_s: Annotated[
        int, Field(ge=1, le=300, description="No entry on a bar that closed longer ago than this")
    ] = 60
    valid_for_s: Annotated[
        Decimal, Field(gt=0, le=120, description="Real seconds after which an unsent entry is dropped")
    ] = Decimal(20)

    @field_validator("slow")
    @classmethod
    def _slow_above_fast(cls, slow: int, info: ValidationInfo) -> int:
        fast = info.data.get("fast")
        if fast is not None and slow <= fast:
            raise ValueError(f"expected more bars than the fast average has, {fast}")
        return slow


@plain_dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    bar: Bar
    cross: int  # the bar of the cross is 1 or -1, the next 2 or -2; upwards is positive
    best_high: Decimal | None
    best_low: Decimal | None
    adx: Decimal | None
    atr: Decimal | None


@plain_dataclass(frozen=True, slots=True, kw_only=True)
class _Trade:
    key: SignalKey
    entered_on: datetime  # starts of bars
    left_on: datetime | None
    is_stop: bool


class EmaCross:
    """Enter at the close of the bar on which the averages cross, leave at the opposite cross or the trail.

    One position. The opposite cross closes it; the other side is entered a bar later, from flat, if the cross
    still stands. The stop rests at the venue; the trail is judged on closes, from the best price since the
    cross. Keys tell the whole story, so that nothing is remembered: each entry names its bar, and each end
    of a trade the bar that saw it; where the venue's stop ended it an EXIT that finds nothing is recorded.
    """

    def __init__(self, params: EmaCrossParams) -> None:
        self._params = params
        self._instrument = InstrumentId(params.instrument)
        periods = f"{params.fast}/{params.slow}"
        self._cross, self._high, self._low = (
            f"ema_cross_{part}:{periods}" for part in ("bars", "high", "low")
        )
        self._adx, self._atr = f"adx:{params.adx_period}", f"atr:{params.atr_period}"

    def indicator_needs(self) -> Sequence[IndicatorNeed]:
        names = (self._cross, self._high, self._low, self._adx, self._atr)
        return (IndicatorNeed(instrument_id=self._instrument, spec=_BARS, names=names),)

    def on_event(self, event: StrategyEvent, view: StrategyView) -> Sequence[Signal]:
        if not isinstance(event, BarEvent):
            return ()
        bar = event.indicator_bar.bar
        if bar.instrument_id != self._instrument or bar.spec != _BARS:
            return ()
        reading = self._read(event.indicator_bar)
        trades = _trades(view)
        last = trades[-1] if trades else None
        if last is not None and last.left_on is None:
            return self._end(reading, last, view)
        leg = view.legs.get(self._instrument)
        if (leg is not None and leg.net_qty != 0) or len(trades) >= self._params.max_entries:
            return ()
        return self._enter(reading, view) if self._may_enter(reading, last, view) else ()

    def _read(self, indicator_bar: IndicatorBar) -> _Reading:
        cross = indicator_bar.value(self._cross)
        return _Reading(
            bar=indicator_bar.bar,
            cross=0 if cross is None else int(cross),
            best_high=indicator_bar.value(self._high),
            best_low=indicator_bar.value(self._low),
            adx=indicator_bar.value(self._adx),
            atr=indicator_bar.value(self._atr),
        )

    def _end(self, reading: _Reading, trade: _Trade, view: StrategyView) -> Sequence[Signal]:
        if reading.bar.start <= trade.entered_on:
            return ()
        leg = view.legs.get(self._instrument)
        if leg is None or leg.net_qty == 0:
            rule = "stopped" if leg is not None and leg.is_stopped else "gone"
            return self._exit(reading, trade, rule, "nothing is held any more")
        found = self._exit_rule(reading, leg, view)
        return () if found is None else self._exit(reading, trade, *found)

    def _exit_rule(self, reading: _Reading, leg: LegView, view: StrategyView) -> tuple[str, str] | None:
        close, is_long = reading.bar.close, leg.net_qty > 0
        if self._is_day_over(reading.bar, view):
            return "day-end", "the day ends"
        if reading.cross < 0 if is_long else reading.cross > 0:
            return "cross", f"averages crossed against the position, closed at {close}"
        if reading.atr is None:
            return None
        trail = reading.atr * self._params.trail_atr
        if is_long and reading.best_high is not None and close <= reading.best_high - trail:
            return "trail", f"closed at {close}, {trail} or more below the best price {reading.best_high}"
        if not is_long and reading.best_low is not None and close >= reading.best_low + trail:
            return "trail", f"closed at {close}, {trail} or more above the best price {reading.best_low}"
        return None

    def _exit(self, reading: _Reading, trade: _Trade, rule: str, reason: str) -> Sequence[Signal]:
        signal = Signal(
            key=SignalKey(f"{trade.key}:{rule}:{stamp(reading.bar.start)}"),
            kind=SignalKind.EXIT,
            reason=reason,
            valid_for_s=self._params.valid_for_s,
            instrument_id=self._instrument,
        )
        return (signal,)

    def _is_day_over(self, bar: Bar, view: StrategyView) -> bool:
        return view.session_close - bar.end <= timedelta(minutes=self._params.flat_before_close_minutes)

    def _may_enter(self, reading: _Reading, last: _Trade | None, view: StrategyView) -> bool:
        bar = reading.bar
        is_late = view.now - bar.end > timedelta(seconds=self._params.max_delay_s)
        if is_late or self._is_day_over(bar, view):
            return False
        if reading.adx is None or reading.adx <= self._params.min_adx:
            return False
        if last is None or last.left_on is None:
            return abs(reading.cross) == 1
        if bar.start <= last.left_on:
            return False
        if last.is_stop and bar.start <= last.left_on + _BARS.length * self._params.cooldown_bars:
            return False
        # The bar of the cross ended the last trade: its own signal was for the exit.
        is_waiting = abs(reading.cross) == 2 and bar.start == last.left_on + _BARS.length
        return abs(reading.cross) == 1 or is_waiting

    def _enter(self, reading: _Reading, view: StrategyView) -> Sequence[Signal]:
        side = Side.BUY if reading.cross > 0 else Side.SELL
        tick = view.market.tick(self._instrument)
        if tick is None or tick.ts_event < reading.bar.start or reading.atr is None:
            return ()
        if side is Side.SELL and not self._is_shorting(view):
            return ()
        lots = self._lots(tick.last, reading.atr, view)
        quantity = lots * view.market.instrument(self._instrument).lot_size
        fraction = None
        if lots:
            fraction = stop_fraction(
                side,
                price=tick.last,
                stop=tick.last - side.sign * reading.atr * self._params.stop_atr,
                quantity=quantity,
                leg=view.legs.get(self._instrument),
            )
        if fraction is None:
            return ()
        leg = SignalLeg(
            instrument_id=self._instrument,
            side=side,
            lots=lots,
            reference_price=tick.last,
            protection=ProtectionTerms(stop_fraction=fraction, exits=self._exits(reading.atr)),
            atr=reading.atr,
        )
        direction = "up" if side is Side.BUY else "down"
        return (
            Signal(
                key=_entry_key(reading.bar, side),
                kind=SignalKind.ENTER,
                reason=f"averages crossed {direction}, closed at {reading.bar.close}, ADX {reading.adx}",
                valid_for_s=self._params.valid_for_s,
                legs=(leg,),
            ),
        )

    def _exits(self, atr: Decimal) -> ExitTerms | None:
        return range_exits(
            atr,
            target=self._params.target_atr,
            trail=self._params.resting_trail_atr,
            break_even=self._params.break_even_atr,
            time_stop_s=self._params.time_stop_s,
            true_range=TrueRange(bars=self._params.atr_period, minutes=_BARS.minutes),
        )

    def _is_shorting(self, view: StrategyView) -> bool:
        kind = view.market.instrument(self._instrument).kind
        return self._params.sides == "both" and kind is not InstrumentKind.SPOT

    def _lots(self, price: Decimal, atr: Decimal, view: StrategyView) -> int:
        """Return whole lots, rounded down; 0 where the venue would not take so little."""
        if atr <= 0:
            return 0
        instrument = view.market.instrument(self._instrument)
        risked = self._params.capital * self._params.risk_fraction / (self._params.stop_atr * atr)
        leverage = self._params.max_leverage
        if instrument.kind is InstrumentKind.SPOT:
            leverage = min(leverage, Decimal(1))
        lots = int(min(risked, self._params.capital * leverage / price) // instrument.lot_size)
        return lots if lots * instrument.lot_size * price >= instrument.min_notional else 0


def _entry_key(bar: Bar, side: Side) -> SignalKey:
    return SignalKey(f"{stamp(bar.start)}:{_RULE}:{'long' if side is Side.BUY else 'short'}")


def _trades(view: StrategyView) -> list[_Trade]:
    """Read the day's trades, oldest first, from the keys of the recorded signals."""
    ends: dict[str, tuple[datetime, bool]] = {}
    entries: list[tuple[datetime, SignalKey]] = []
    for key in view.emitted:
        parts = key.split(":")
        if len(parts) < 3 or parts[1] != _RULE:
            continue  # the deployment ran another strategy earlier today
        if len(parts) == 3:
            entries.append((read_stamp(parts[0]), key))
        else:
            ends[":".join(parts[:3])] = (read_stamp(parts[4]), parts[3] == "stopped")
    trades = []
    for entered_on, key in sorted(entries):
        left_on, is_stop = ends.get(key, (None, False))
        trades.append(_Trade(key=key, entered_on=entered_on, left_on=left_on, is_stop=is_stop))
    return trades


STRATEGIES = (
    StrategyDefinition(
        name="ema_cross",
        summary="Follow the cross of two moving averages on fifteen-minute bars, both ways or only long.",
        params=EmaCrossParams,
        factory=EmaCross,
    ),
)
