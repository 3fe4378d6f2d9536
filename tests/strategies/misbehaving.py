"""Strategies that raise, hang, swallow interruptions or wish nonsense; and a good one beside them."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from app.domain.ids import InstrumentId, SignalKey
from app.domain.market_data import ONE_MINUTE, BarSpec
from app.domain.orders import Side
from app.domain.signals import Signal, SignalKind, SignalLeg
from app.domain.strategy import (
    BarEvent,
    FillEvent,
    IndicatorNeed,
    Strategy,
    StrategyEvent,
    StrategyView,
    TickEvent,
)
from strategies.registry import StrategyDefinition
from tests.nifty_day import NIFTY


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class NoParams:
    """Need nothing."""


def exit_signal(key: str) -> Signal:
    """Return a harmless wish."""
    return Signal(key=SignalKey(key), kind=SignalKind.EXIT, reason="test", valid_for_s=Decimal(5))


class EachEvent:
    """Wish once per tick instant, bar and fill: shows exactly what a deployment was asked."""

    def __init__(self, _params: NoParams) -> None:
        pass

    def indicator_needs(self) -> Sequence[IndicatorNeed]:
        return (IndicatorNeed(instrument_id=NIFTY, spec=ONE_MINUTE, names=("atr:2",)),)

    def on_event(self, event: StrategyEvent, view: StrategyView) -> Sequence[Signal]:
        match event:
            case TickEvent():
                return (exit_signal(f"tick {view.now.isoformat()}"),)
            case BarEvent():
                return (exit_signal(f"bar {event.indicator_bar.bar.start.isoformat()}"),)
            case FillEvent():
                return (exit_signal(f"fill {event.instrument_id} {event.role}"),)


class Once(EachEvent):
    """Wish one thing a day."""

    def on_event(self, event: StrategyEvent, view: StrategyView) -> Sequence[Signal]:  # noqa: ARG002  the port
        return (exit_signal("once"),)


class OddBars(EachEvent):
    """Wait for bars that nobody builds."""

    def indicator_needs(self) -> Sequence[IndicatorNeed]:
        return (IndicatorNeed(instrument_id=NIFTY, spec=BarSpec(minutes=7), names=("atr:2",)),)


class Bad(EachEvent):
    """Do the bad thing from the second minute of the session on."""

    def __init__(self, act: Callable[[], Sequence[Signal]]) -> None:
        self._act = act

    def on_event(self, event: StrategyEvent, view: StrategyView) -> Sequence[Signal]:  # noqa: ARG002  the port
        return self._act() if view.now - view.session_open >= timedelta(minutes=1) else ()


def _raise() -> Sequence[Signal]:
    raise ValueError("a bug of the author")


def _leave() -> Sequence[Signal]:
    raise SystemExit(3)


def _loop() -> Sequence[Signal]:
    while True:
        pass


def _swallow() -> Sequence[Signal]:
    while True:
        with suppress(Exception):
            _loop()


def _sleep() -> Sequence[Signal]:
    time.sleep(600)
    return ()


def _wish_nonsense() -> Sequence[Signal]:
    leg = SignalLeg(
        instrument_id=InstrumentId("NO-SUCH.NSE"), side=Side.BUY, lots=1, reference_price=Decimal(1)
    )
    key = SignalKey("nonsense")
    return (Signal(key=key, kind=SignalKind.ENTER, reason="x", valid_for_s=Decimal(5), legs=(leg,)),)


def _bad(act: Callable[[], Sequence[Signal]]) -> Callable[[NoParams], Strategy]:
    return lambda _params: Bad(act)


_FACTORIES: dict[str, Callable[[NoParams], Strategy]] = {
    "each_event": EachEvent,
    "once": Once,
    "odd_bars": OddBars,
    "raises": _bad(_raise),
    "leaves": _bad(_leave),
    "loops": _bad(_loop),
    "swallows": _bad(_swallow),
    "sleeps": _bad(_sleep),
    "nonsense": _bad(_wish_nonsense),
}
STRATEGIES = tuple(
    StrategyDefinition(name=name, summary="Test.", params=NoParams, factory=factory)
    for name, factory in _FACTORIES.items()
)
