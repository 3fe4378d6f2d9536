"""Buy an at-the-money option when the index closes outside its opening range (S3)."""

from collections.abc import Sequence
from dataclasses import dataclass as plain_dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from app.domain.ids import InstrumentId, SignalKey
from app.domain.instruments import Instrument, OptionRight, index_id
from app.domain.market_data import BarSpec, IndicatorBar
from app.domain.numbers import ZERO
from app.domain.orders import ProtectionTerms, Side
from app.domain.signals import Signal, SignalKind, SignalLeg
from app.domain.strategy import BarEvent, IndicatorNeed, LegView, StrategyEvent, StrategyView
from strategies.exit_params import (
    BreakEvenFraction,
    TargetFraction,
    TimeStop,
    TrailAfterFraction,
    TrailFraction,
    TrailStepFraction,
    fraction_exits,
)
from strategies.option_chain import at_the_money
from strategies.registry import StrategyDefinition

_EXIT_BARS = BarSpec(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True, config={"extra": "forbid"})
class OpeningRangeParams:
    """Set the breakout. Times are seconds after the session's open; fractions are of the opening price."""

    underlying: Annotated[str, Field(description="Index that is watched")] = index_id("NIFTY")
    lots: Annotated[int, Field(ge=1, le=1000, description="Lots of each trade")] = 1
    range_minutes: Annotated[
        int, Field(ge=5, le=120, multiple_of=5, description="Minutes from the open that make the range")
    ] = 15
    signal_minutes: Annotated[
        Literal[1, 5], Field(description="Length of the bars whose close can break out")
    ] = 5
    min_range_fraction: Annotated[
        Decimal, Field(ge=0, lt=1, description="No trade when the range is narrower")
    ] = Decimal("0.0015")
    max_range_fraction: Annotated[
        Decimal, Field(gt=0, lt=1, description="No trade when the range is wider")
    ] = Decimal("0.01")
    buffer_fraction: Annotated[
        Decimal, Field(ge=0, lt="0.1", description="How far beyond the range a bar must close")
    ] = Decimal("0.0002")
    last_entry_offset_s: Annotated[int, Field(ge=0, le=22_500, description="No entry later than this")] = (
        17_100
    )
    max_delay_s: Annotated[
        int, Field(ge=1, le=300, description="No entry on a bar that closed longer ago than this")
    ] = 60
    stop_fraction: Annotated[
        Decimal, Field(gt=0, lt=1, description="Stop below the premium paid, 0.30 = 30 %")
    ] = Decimal("0.30")
    target_fraction: TargetFraction = None
    trail_fraction: TrailFraction = None
    trail_after_fraction: TrailAfterFraction = ZERO
    trail_step_fraction: TrailStepFraction = ZERO
    break_even_fraction: BreakEvenFraction = None
    time_stop_s: TimeStop = None
    target_multiple: Annotated[
        Decimal, Field(gt=0, le=20, description="Target beyond the range, in widths of the range")
    ] = Decimal("1.5")
    avoid_expiry: Annotated[
        bool, Field(description="On expiry day buy the next expiry instead of the expiring one")
    ] = False
    valid_for_s: Annotated[
        Decimal, Field(gt=0, le=120, description="Real seconds after which an unsent entry is dropped")
    ] = Decimal(20)


@plain_dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    open: Decimal
    high: Decimal
    low: Decimal

    @property
    def width(self) -> Decimal:
        return self.high - self.low


class OpeningRange:
    """Trade each direction at most once a day; its exits are judged on one-minute closes of the index.

    Stop: the index closes inside the third of the range that lies opposite to the breakout. Target:
    `target_multiple` widths beyond the broken edge. The premium stop rests at the venue; the exit rules
    of the premium are the platform's.
    """

    def __init__(self, params: OpeningRangeParams) -> None:
        self._params = params
        self._underlying = InstrumentId(params.underlying)
        self._signal_bars = BarSpec(minutes=params.signal_minutes)
        minutes = params.range_minutes
        self._premium_exits = fraction_exits(
            target=params.target_fraction,
            trail=params.trail_fraction,
            trail_after=params.trail_after_fraction,
            trail_step=params.trail_step_fraction,
            break_even=params.break_even_fraction,
            time_stop_s=params.time_stop_s,
        )
        self._names = tuple(f"opening_range_{edge}:{minutes}" for edge in ("open", "high", "low"))

    def indicator_needs(self) -> Sequence[IndicatorNeed]:
        specs = {self._signal_bars.minutes: self._signal_bars, _EXIT_BARS.minutes: _EXIT_BARS}
        return tuple(
            IndicatorNeed(instrument_id=self._underlying, spec=spec, names=self._names)
            for spec in specs.values()
        )

    def on_event(self, event: StrategyEvent, view: StrategyView) -> Sequence[Signal]:
        if not isinstance(event, BarEvent) or event.indicator_bar.bar.instrument_id != self._underlying:
            return ()
        bounds = self._range(event.indicator_bar)
        if bounds is None:
            return ()
        bar = event.indicator_bar.bar
        signals: list[Signal] = []
        if bar.spec == _EXIT_BARS:
            signals += self._exits(bar.close, bounds, view)
        if bar.spec == self._signal_bars:
            signals += self._entry(event.indicator_bar, bounds, view)
        return signals

    def _range(self, indicator_bar: IndicatorBar) -> _Range | None:
        first, high, low = (indicator_bar.value(name) for name in self._names)
        if first is None or high is None or low is None:
            return None
        bounds = _Range(open=first, high=high, low=low)
        narrow, wide = (
            first * self._params.min_range_fraction,
            first * self._params.max_range_fraction,
        )
        return bounds if narrow <= bounds.width <= wide else None

    def _entry(self, indicator_bar: IndicatorBar, bounds: _Range, view: StrategyView) -> list[Signal]:
        bar = indicator_bar.bar
        range_end = view.session_open + timedelta(minutes=self._params.range_minutes)
        last_entry = view.session_open + timedelta(seconds=self._params.last_entry_offset_s)
        is_late = view.now - bar.end > timedelta(seconds=self._params.max_delay_s)
        if bar.start < range_end or bar.end > last_entry or is_late:
            return []
        right = self._broken_side(bar.close, bounds)
        if right is None or _key(view, right) in view.emitted:
            return []
        return self._buy(right, bar.close, view)

    def _broken_side(self, close: Decimal, bounds: _Range) -> OptionRight | None:
        # Beyond the target there is nothing left to win.
        buffer = bounds.open * self._params.buffer_fraction
        reach = bounds.width * self._params.target_multiple
        if bounds.high + buffer < close < bounds.high + reach:
            return OptionRight.CALL
        if bounds.low - reach < close < bounds.low - buffer:
            return OptionRight.PUT
        return None

    def _buy(self, right: OptionRight, close: Decimal, view: StrategyView) -> list[Signal]:
        pair = at_the_money(
            view.market,
            self._underlying,
            spot=close,
            day=view.session_open.date(),
            avoid_expiry=self._params.avoid_expiry,
        )
        contract = None if pair is None else pair.call if right is OptionRight.CALL else pair.put
        tick = None if contract is None else view.market.tick(contract.instrument_id)
        if contract is None or tick is None or tick.ts_event < view.session_open:
            return []
        leg = SignalLeg(
            instrument_id=contract.instrument_id,
            side=Side.BUY,
            lots=self._params.lots,
            reference_price=tick.last,
            protection=ProtectionTerms(stop_fraction=self._params.stop_fraction, exits=self._premium_exits),
        )
        edge = "above" if right is OptionRight.CALL else "below"
        return [
            Signal(
                key=_key(view, right),
                kind=SignalKind.ENTER,
                reason=f"index closed at {close}, {edge} its opening range",
                valid_for_s=self._params.valid_for_s,
                legs=(leg,),
            )
        ]

    def _exits(self, close: Decimal, bounds: _Range, view: StrategyView) -> list[Signal]:
        signals = []
        for leg in view.legs.values():
            right = _right_of(view.market.instrument(leg.instrument_id))
            if leg.net_qty <= 0 or right is None:
                continue
            reason = self._exit_reason(close, bounds, right)
            key = SignalKey(f"{_key(view, right)}:exit")
            if reason is not None and key not in view.emitted:
                signals.append(self._sell(leg, key, reason))
        return signals

    def _exit_reason(self, close: Decimal, bounds: _Range, right: OptionRight) -> str | None:
        third, reach = bounds.width / 3, bounds.width * self._params.target_multiple
        is_call = right is OptionRight.CALL
        if close >= bounds.high + reach if is_call else close <= bounds.low - reach:
            return f"target: index closed at {close}"
        if close < bounds.low + third if is_call else close > bounds.high - third:
            return f"index back inside the opposite third, closed at {close}"
        return None

    def _sell(self, leg: LegView, key: SignalKey, reason: str) -> Signal:
        return Signal(
            key=key,
            kind=SignalKind.EXIT,
            reason=reason,
            valid_for_s=self._params.valid_for_s,
            instrument_id=leg.instrument_id,
        )


def _right_of(instrument: Instrument) -> OptionRight | None:
    return None if instrument.option is None else instrument.option.right


def _key(view: StrategyView, right: OptionRight) -> SignalKey:
    direction = "long" if right is OptionRight.CALL else "short"
    return SignalKey(f"{view.session_open.date()}:orb:{direction}")


STRATEGIES = (
    StrategyDefinition(
        name="opening_range",
        summary="Buy an at-the-money option when the index closes outside its opening range.",
        params=OpeningRangeParams,
        factory=OpeningRange,
    ),
)
