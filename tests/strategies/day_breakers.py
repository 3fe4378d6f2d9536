"""Strategies that first open a real position and then misbehave: their exits must live on."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from app.domain.signals import Signal
from app.domain.strategy import IndicatorNeed, StrategyEvent, StrategyView
from strategies.registry import StrategyDefinition
from strategies.short_straddle import ShortStraddle, ShortStraddleParams

_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class NoParams:
    """Need nothing."""


class _Breaker:
    """Sell a straddle at the bell, then do the bad thing on every event."""

    def __init__(self, act: Callable[[], Sequence[Signal]]) -> None:
        self._straddle = ShortStraddle(ShortStraddleParams(entry_offset_s=0))
        self._act = act

    def indicator_needs(self) -> Sequence[IndicatorNeed]:
        return ()

    def on_event(self, event: StrategyEvent, view: StrategyView) -> Sequence[Signal]:
        if view.now - view.session_open >= _AFTER:
            return self._act()
        return self._straddle.on_event(event, view)


def _raise() -> Sequence[Signal]:
    raise ValueError("a bug of the author")


def _loop_for_ever() -> Sequence[Signal]:
    while True:
        pass


STRATEGIES = (
    StrategyDefinition(
        name="raises-after-entry",
        summary="Sell a straddle, then raise on every tick.",
        params=NoParams,
        factory=lambda _params: _Breaker(_raise),
    ),
    StrategyDefinition(
        name="loops-after-entry",
        summary="Sell a straddle, then loop for ever.",
        params=NoParams,
        factory=lambda _params: _Breaker(_loop_for_ever),
    ),
)
