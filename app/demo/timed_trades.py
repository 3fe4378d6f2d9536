"""Trade by the clock: something is under way in every account whenever a fault of the demo strikes."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from app.domain.ids import InstrumentId, SignalKey
from app.domain.instruments import Instrument, InstrumentKind, Venue, venue_of
from app.domain.market_data import ONE_MINUTE
from app.domain.orders import ProtectionTerms, Side
from app.domain.signals import Signal, SignalKind, SignalLeg
from app.domain.strategy import IndicatorNeed, StrategyEvent, StrategyView, TickEvent
from strategies.option_chain import at_the_money
from strategies.registry import StrategyDefinition

_RULE = "timed"


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TimedTradesParams:
    """Set the trades. Times are seconds; an index stands for its option at the money."""

    instrument: Annotated[str, Field(description="What is bought")]
    first_after_s: Annotated[int, Field(ge=0, le=86_400, description="First entry after the open")]
    rounds: Annotated[int, Field(ge=1, le=20, description="How many trades")] = 2
    every_s: Annotated[int, Field(ge=60, le=3600, description="From one entry to the next")] = 180
    hold_s: Annotated[int, Field(ge=30, le=3600, description="From an entry to its exit")] = 120
    lots: Annotated[int, Field(ge=1, le=10_000, description="Lots of each trade")] = 1
    stop_fraction: Annotated[Decimal, Field(gt=0, lt=1, description="Stop below the fill")] = Decimal("0.3")
    valid_for_s: Annotated[
        Decimal, Field(gt=0, le=120, description="Real seconds after which an unsent entry is dropped")
    ] = Decimal(20)


class TimedTrades:
    """Buy and sell the same thing a few times."""

    def __init__(self, params: TimedTradesParams) -> None:
        self._params = params

    def indicator_needs(self) -> Sequence[IndicatorNeed]:
        """Outside India the feed follows what strategies watch; so watch something."""
        instrument_id = InstrumentId(self._params.instrument)
        if venue_of(instrument_id) is Venue.NSE:
            return ()
        return (IndicatorNeed(instrument_id=instrument_id, spec=ONE_MINUTE, names=("ema:5",)),)

    def on_event(self, event: StrategyEvent, view: StrategyView) -> Sequence[Signal]:
        if not isinstance(event, TickEvent):
            return ()
        params = self._params
        for number in range(params.rounds):
            since = view.now - view.session_open - timedelta(seconds=params.first_after_s)
            since -= timedelta(seconds=number * params.every_s)
            if timedelta(0) <= since < timedelta(seconds=params.hold_s):
                return self._enter(view, number)
            if timedelta(seconds=params.hold_s) <= since < timedelta(seconds=params.every_s):
                return self._leave(view, number)
        return ()

    def _enter(self, view: StrategyView, number: int) -> Sequence[Signal]:
        contract = self._contract(view)
        tick = None if contract is None else view.market.tick(contract.instrument_id)
        if contract is None or tick is None or tick.ts_event < view.session_open:
            return ()
        leg = SignalLeg(
            instrument_id=contract.instrument_id,
            side=Side.BUY,
            lots=self._params.lots,
            reference_price=tick.last,
            protection=ProtectionTerms(stop_fraction=self._params.stop_fraction),
        )
        return (self._signal(view, number, SignalKind.ENTER, legs=(leg,)),)

    def _leave(self, view: StrategyView, number: int) -> Sequence[Signal]:
        if all(leg.net_qty == 0 for leg in view.legs.values()):
            return ()
        return (self._signal(view, number, SignalKind.EXIT),)

    def _signal(
        self, view: StrategyView, number: int, kind: SignalKind, *, legs: tuple[SignalLeg, ...] = ()
    ) -> Signal:
        return Signal(
            key=SignalKey(f"{view.session_open.date()}:{_RULE}:{number}:{kind.lower()}"),
            kind=kind,
            reason=f"trade {number + 1} of {self._params.rounds}",
            valid_for_s=self._params.valid_for_s,
            legs=legs,
        )

    def _contract(self, view: StrategyView) -> Instrument | None:
        instrument_id = InstrumentId(self._params.instrument)
        instrument = view.market.instrument(instrument_id)
        if instrument.kind is not InstrumentKind.INDEX:
            return instrument
        spot = view.market.tick(instrument_id)
        if spot is None:
            return None
        day = view.session_open.date()
        pair = at_the_money(view.market, instrument_id, spot=spot.last, day=day, avoid_expiry=False)
        return None if pair is None else pair.call


STRATEGIES = (
    StrategyDefinition(
        name="timed_trades",
        summary="Buy and sell by the clock, for demonstrations.",
        params=TimedTradesParams,
        factory=TimedTrades,
    ),
)
