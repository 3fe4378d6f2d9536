"""Sell the at-the-money call and put at a fixed time, each leg with its own stop, hedged or not (S1)."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic.dataclasses import dataclass

from app.domain.ids import InstrumentId, SignalKey
from app.domain.instruments import Instrument, OptionRight, index_id
from app.domain.market_data import Tick
from app.domain.numbers import ZERO
from app.domain.orders import ProtectionTerms, Side
from app.domain.signals import Signal, SignalKind, SignalLeg
from app.domain.strategy import IndicatorNeed, LegView, StrategyEvent, StrategyView, TickEvent
from strategies.exit_params import (
    BreakEvenFraction,
    TargetFraction,
    TimeStop,
    TrailAfterFraction,
    TrailFraction,
    TrailStepFraction,
    fraction_exits,
)
from strategies.option_chain import AtTheMoney, at_the_money, wing
from strategies.registry import StrategyDefinition
from strategies.stops import stop_fraction


@dataclass(frozen=True, slots=True, kw_only=True, config={"extra": "forbid"})
class ShortStraddleParams:
    """Set the straddle. Times are seconds after the session's open."""

    underlying: Annotated[str, Field(description="Index whose options are sold")] = index_id("NIFTY")
    lots: Annotated[int, Field(ge=1, le=1000, description="Lots of each leg")] = 1
    entry_offset_s: Annotated[
        int, Field(ge=0, le=22_500, description="Entry after the open; 0 sells on the session's first tick")
    ] = 300
    entry_window_s: Annotated[
        int, Field(ge=1, le=3600, description="No entry later than this after the entry time")
    ] = 300
    stop_fraction: Annotated[
        Decimal, Field(gt=0, lt=5, description="Stop of each leg above its fill, 0.25 = 25 %")
    ] = Decimal("0.25")
    target_fraction: TargetFraction = None
    trail_fraction: TrailFraction = None
    trail_after_fraction: TrailAfterFraction = ZERO
    trail_step_fraction: TrailStepFraction = ZERO
    break_even_fraction: BreakEvenFraction = None
    time_stop_s: TimeStop = None
    move_other_to_cost: Annotated[
        bool, Field(description="When one leg is stopped, move the stop of the other one to its entry")
    ] = False
    hedge_points: Annotated[
        int | None,
        Field(ge=50, le=5000, description="Buy a call and a put this far out first; empty: no hedge"),
    ] = None
    reentry: Annotated[
        Literal["none", "cost", "asap"],
        Field(description="After a stop sell again: at the first price or better, or at once at the money"),
    ] = "none"
    max_reentries: Annotated[int, Field(ge=1, le=10, description="Most re-entries of each side")] = 1
    last_reentry_offset_s: Annotated[
        int, Field(ge=0, le=22_500, description="No re-entry later than this after the open")
    ] = 18_900
    avoid_expiry: Annotated[
        bool, Field(description="On expiry day sell the next expiry instead of the expiring one")
    ] = False
    exit_offset_s: Annotated[
        int | None,
        Field(ge=1, le=22_500, description="Close after the open; empty: the platform's square-off"),
    ] = None
    valid_for_s: Annotated[
        Decimal, Field(gt=0, le=120, description="Real seconds after which an unsent entry is dropped")
    ] = Decimal(20)

    @field_validator("reentry")
    @classmethod
    def _no_hedge(cls, reentry: str, info: ValidationInfo) -> str:
        if reentry != "none" and info.data.get("hedge_points") is not None:
            raise ValueError("expected none for a hedged straddle: the wing is bought once")
        return reentry


class ShortStraddle:
    """Sell the straddle once a day and leave each leg to its stop, the exit time and the square-off."""

    def __init__(self, params: ShortStraddleParams) -> None:
        self._params = params
        self._underlying = InstrumentId(params.underlying)
        self._exits = fraction_exits(
            target=params.target_fraction,
            trail=params.trail_fraction,
            trail_after=params.trail_after_fraction,
            trail_step=params.trail_step_fraction,
            break_even=params.break_even_fraction,
            time_stop_s=params.time_stop_s,
            follows_siblings=params.move_other_to_cost,
        )

    def indicator_needs(self) -> Sequence[IndicatorNeed]:
        return ()

    def on_event(self, event: StrategyEvent, view: StrategyView) -> Sequence[Signal]:
        if not isinstance(event, TickEvent):
            return ()
        since_open = view.now - view.session_open
        if since_open < timedelta(seconds=self._params.entry_offset_s):
            return ()
        entry_key = _key(view, "entry")
        if entry_key in view.emitted:
            return self._leave(view, since_open)
        end_of_window = self._params.entry_offset_s + self._params.entry_window_s
        if since_open > timedelta(seconds=end_of_window):
            return ()
        return self._enter(view, entry_key)

    def _enter(self, view: StrategyView, key: SignalKey) -> Sequence[Signal]:
        spot = _tick_of_session(view, self._underlying)
        if spot is None:
            return ()
        pair = self._at_the_money(view, spot)
        if pair is None:
            return ()
        legs = [leg for near in (pair.call, pair.put) for leg in self._legs(view, near) if leg is not None]
        if len(legs) != self._leg_count:
            return ()  # a leg without a price yet: the next round may bring it
        return (
            Signal(
                key=key,
                kind=SignalKind.ENTER,
                reason=f"short straddle {pair.strike.normalize():f}, index at {spot.last}",
                valid_for_s=self._params.valid_for_s,
                legs=tuple(legs),
            ),
        )

    def _at_the_money(self, view: StrategyView, spot: Tick) -> AtTheMoney | None:
        return at_the_money(
            view.market,
            self._underlying,
            spot=spot.last,
            day=view.session_open.date(),
            avoid_expiry=self._params.avoid_expiry,
        )

    @property
    def _leg_count(self) -> int:
        return 2 if self._params.hedge_points is None else 4

    def _legs(self, view: StrategyView, near: Instrument) -> Sequence[SignalLeg | None]:
        """Return the leg that is sold and, where wished, the one that bounds its loss."""
        stop = ProtectionTerms(stop_fraction=self._params.stop_fraction, exits=self._exits)
        sold = self._leg(view, near, Side.SELL, protection=stop)
        if self._params.hedge_points is None:
            return (sold,)
        far = wing(view.market, near, points=self._params.hedge_points)
        return sold, None if far is None else self._leg(view, far, Side.BUY, protection=None)

    def _leg(
        self, view: StrategyView, contract: Instrument, side: Side, *, protection: ProtectionTerms | None
    ) -> SignalLeg | None:
        tick = _tick_of_session(view, contract.instrument_id)
        if tick is None:
            return None
        return SignalLeg(
            instrument_id=contract.instrument_id,
            side=side,
            lots=self._params.lots,
            reference_price=tick.last,
            protection=protection,
            is_hedge=side is Side.BUY,
        )

    def _leave(self, view: StrategyView, since_open: timedelta) -> Sequence[Signal]:
        holds = any(leg.net_qty != 0 for leg in view.legs.values())
        exit_offset = self._params.exit_offset_s
        if exit_offset is not None and since_open >= timedelta(seconds=exit_offset):
            return self._close(view, "exit", "exit time") if holds else ()
        # The platform unwinds an incomplete straddle within seconds; this is the net below it, and it
        # waits for the end of the window because a strategy has no memory of when it entered.
        window = self._params.entry_offset_s + self._params.entry_window_s
        filled = sum(leg.entry_qty > 0 for leg in view.legs.values())
        if filled < self._leg_count:
            is_over = holds and since_open > timedelta(seconds=window)
            reason = "not every leg of the straddle was filled"
            return self._close(view, "one-leg", reason) if is_over else ()
        return self._reenter(view, since_open)

    def _reenter(self, view: StrategyView, since_open: timedelta) -> Sequence[Signal]:
        """Sell each side again that was stopped and nothing else: by its rule, and as often as told."""
        last = timedelta(seconds=self._params.last_reentry_offset_s)
        if self._params.reentry == "none" or since_open > last:
            return ()
        found = (self._sell_again(view, right) for right in OptionRight)
        return [signal for signal in found if signal is not None]

    def _sell_again(self, view: StrategyView, right: OptionRight) -> Signal | None:
        done = sum(
            _again_key(view, right, n) in view.emitted for n in range(1, self._params.max_reentries + 1)
        )
        sold = [
            leg for leg in view.legs.values() if _right(view.market.instrument(leg.instrument_id)) is right
        ]
        was_stopped = all(leg.net_qty == 0 and leg.is_stopped and leg.exit_reason is None for leg in sold)
        if done == self._params.max_reentries or not was_stopped:
            return None
        contract = self._contract_again(view, right, sold)
        tick = None if contract is None else _tick_of_session(view, contract.instrument_id)
        if contract is None or tick is None:
            return None
        quantity = self._params.lots * contract.lot_size
        if sum(leg.entry_qty for leg in sold) != quantity * (1 + done):
            return None  # the last one was not filled, or not yet
        leg = view.legs.get(contract.instrument_id)
        if self._params.reentry == "cost" and (leg is None or tick.last > leg.entry_px):
            return None
        stop = tick.last * (1 + self._params.stop_fraction)
        fraction = stop_fraction(Side.SELL, price=tick.last, stop=stop, quantity=quantity, leg=leg)
        if fraction is None:
            return None
        protection = ProtectionTerms(stop_fraction=fraction, exits=self._exits)
        return self._sale_again(view, contract, protection, number=done + 1)

    def _sale_again(
        self, view: StrategyView, contract: Instrument, protection: ProtectionTerms, *, number: int
    ) -> Signal | None:
        wish = self._leg(view, contract, Side.SELL, protection=protection)
        right = _right(contract)
        if wish is None or right is None:
            return None
        return Signal(
            key=_again_key(view, right, number),
            kind=SignalKind.ENTER,
            reason=f"re-entry {number} of the {right} after its stop, at {wish.reference_price}",
            valid_for_s=self._params.valid_for_s,
            legs=(wish,),
        )

    def _contract_again(
        self, view: StrategyView, right: OptionRight, sold: Sequence[LegView]
    ) -> Instrument | None:
        if self._params.reentry == "cost":
            return view.market.instrument(sold[0].instrument_id) if len(sold) == 1 else None
        spot = _tick_of_session(view, self._underlying)
        if spot is None:
            return None
        pair = self._at_the_money(view, spot)
        if pair is None:
            return None
        return pair.call if right is OptionRight.CALL else pair.put

    def _close(self, view: StrategyView, rule: str, reason: str) -> Sequence[Signal]:
        key = _key(view, rule)
        if key in view.emitted:
            return ()
        return (Signal(key=key, kind=SignalKind.EXIT, reason=reason, valid_for_s=self._params.valid_for_s),)


def _key(view: StrategyView, rule: str) -> SignalKey:
    return SignalKey(f"{view.session_open.date()}:straddle:{rule}")


def _again_key(view: StrategyView, right: OptionRight, number: int) -> SignalKey:
    return _key(view, f"again-{right}-{number}")


def _right(contract: Instrument) -> OptionRight | None:
    return None if contract.option is None else contract.option.right


def _tick_of_session(view: StrategyView, instrument_id: InstrumentId) -> Tick | None:
    # The print of the pre-open auction is a price of another session.
    tick = view.market.tick(instrument_id)
    return tick if tick is not None and tick.ts_event >= view.session_open else None


STRATEGIES = (
    StrategyDefinition(
        name="short_straddle",
        summary="Sell the at-the-money call and put at a fixed time, a stop on each leg.",
        params=ShortStraddleParams,
        factory=ShortStraddle,
    ),
)
