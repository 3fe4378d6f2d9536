"""Drive recorded events through the engine, so that a day can be decided again and compared."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from app.domain.ids import SignalKey
from app.domain.strategy import Strategy, StrategyEvent, StrategyView
from app.engine.engine import process
from app.engine.state import Decision


def replay(strategy: Strategy, recorded: Iterable[tuple[StrategyEvent, StrategyView]]) -> Iterator[Decision]:
    """Yield the decision on each event; what was wished before counts as emitted, as on the day."""
    emitted = frozenset[SignalKey]()
    for event, view in recorded:
        decision = process(strategy, event, replace(view, emitted=view.emitted | emitted))
        emitted |= {signal.key for signal in decision.signals}
        yield decision
