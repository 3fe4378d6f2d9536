"""Buy a little bitcoin before the Indian bell and keep it, for tests that need a position at Binance."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from app.domain.ids import InstrumentId, SignalKey
from app.domain.orders import ProtectionTerms, Side
from app.domain.signals import Signal, SignalKind, SignalLeg
from app.domain.strategy import IndicatorNeed, StrategyEvent, StrategyView
from strategies.registry import StrategyDefinition

NAME = "coin-buyer"
_INSTRUMENT = InstrumentId("BTCUSDT-PERP.BINANCE")
_AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class NoParams:
    """Need nothing."""


class CoinBuyer:
    """Buy once, five minutes after the session's open; elsewhere than at Binance there is no price for it."""

    def indicator_needs(self) -> Sequence[IndicatorNeed]:
        return ()

    def on_event(self, _event: StrategyEvent, view: StrategyView) -> Sequence[Signal]:
        tick = view.market.tick(_INSTRUMENT)
        key = SignalKey(f"{view.session_open.date()}:{NAME}")
        if tick is None or key in view.emitted or view.now - view.session_open < _AFTER:
            return ()
        leg = SignalLeg(
            instrument_id=_INSTRUMENT,
            side=Side.BUY,
            lots=10,
            reference_price=tick.last,
            protection=ProtectionTerms(stop_fraction=Decimal("0.05")),
        )
        return (Signal(key=key, kind=SignalKind.ENTER, reason="test", valid_for_s=Decimal(20), legs=(leg,)),)


STRATEGIES = (
    StrategyDefinition(
        name=NAME,
        summary="Buy a little bitcoin early and keep it.",
        params=NoParams,
        factory=lambda _params: CoinBuyer(),
    ),
)
