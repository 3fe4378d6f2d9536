"""Trade by the clock all day, so that a fault always finds orders under way."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from app.demo.timed_trades import TimedTrades, TimedTradesParams
from strategies.registry import StrategyDefinition

NAME = "busy-trader"


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class BusyTraderParams(TimedTradesParams):
    """The same, with a trade every two minutes for those who say nothing."""

    instrument: Annotated[str, Field(description="What is bought")] = "NIFTY.NSE"
    first_after_s: Annotated[int, Field(ge=0, le=86_400, description="First entry after the open")] = 60


STRATEGIES = (
    StrategyDefinition(
        name=NAME, summary="Buy and sell by the clock.", params=BusyTraderParams, factory=TimedTrades
    ),
)
