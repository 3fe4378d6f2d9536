"""Bring the market into the risk state, and carry what the engine decided."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from app.domain.ids import InstrumentId
from app.domain.orders import OrderIntent
from app.domain.risk.gate import Approved, Denied
from app.domain.risk.state import Quote, RiskState
from app.domain.signals import Signal, SignalKind
from app.domain.strategy import MarketView


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Carry wishes and, once they were judged, what may be sent and what may not.

    `risk_state` is the account after the approved orders; the next deployment of the same account is
    judged by it. None while nothing was judged.
    """

    signals: tuple[Signal, ...] = ()
    approved: tuple[Approved[OrderIntent], ...] = ()
    denied: tuple[Denied, ...] = ()
    risk_state: RiskState | None = None

    @property
    def exits(self) -> tuple[Signal, ...]:
        """The wishes to close; they need no approval, the exits lane carries them out."""
        return tuple(signal for signal in self.signals if signal.kind is SignalKind.EXIT)


def quotes_for(
    signals: Iterable[Signal], market: MarketView, *, age_of: Callable[[InstrumentId], timedelta | None]
) -> dict[InstrumentId, Quote]:
    """Return the quotes that the gate needs to judge these signals.

    Args:
        signals: the wishes.
        market: terms and last prices.
        age_of: real time since the last tick of an instrument arrived, None before the first one.
    """
    wanted = {leg.instrument_id for signal in signals for leg in signal.legs}
    return {instrument_id: _quote(instrument_id, market, age_of(instrument_id)) for instrument_id in wanted}


def _quote(instrument_id: InstrumentId, market: MarketView, age: timedelta | None) -> Quote:
    tick = market.tick(instrument_id)
    return Quote(
        instrument=market.instrument(instrument_id), last=None if tick is None else tick.last, age=age
    )
