"""Wish nothing: what people and other programs hand in are this deployment's signals (docs/signals.md)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from app.domain.external import EXTERNAL
from app.domain.ids import InstrumentId
from app.domain.market_data import BarSpec
from app.domain.signals import Signal
from app.domain.strategy import IndicatorNeed, StrategyEvent, StrategyView
from strategies.registry import StrategyDefinition

_BARS = BarSpec(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True, config={"extra": "forbid"})
class ExternalParams:
    """Set what holds for everything that is handed in."""

    stop_fraction: Annotated[
        Decimal,
        Field(gt=0, lt=10, description="Stop this far from the entry where a signal brings none"),
    ]
    instruments: Annotated[
        tuple[str, ...],
        Field(max_length=200, description="Only these; empty: every contract of the day that has a price"),
    ] = ()


class External:
    """Keep a deployment's place; naming instruments makes the feeds outside India follow their prices."""

    def __init__(self, params: ExternalParams) -> None:
        self._needs = tuple(
            IndicatorNeed(instrument_id=InstrumentId(name), spec=_BARS, names=())
            for name in params.instruments
        )

    def indicator_needs(self) -> Sequence[IndicatorNeed]:
        """Return the instruments, without any indicator."""
        return self._needs

    def on_event(self, event: StrategyEvent, view: StrategyView) -> Sequence[Signal]:  # noqa: ARG002  the port
        """Return nothing."""
        return ()


STRATEGIES = (
    StrategyDefinition(
        name=EXTERNAL,
        summary="Takes signals that people and other programs hand in; wishes nothing by itself.",
        params=ExternalParams,
        factory=External,
    ),
)
