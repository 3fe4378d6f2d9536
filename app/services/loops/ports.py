"""Name what the loops need from the rest of the platform."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from app.domain.deployments import Deployment
from app.domain.ids import DeploymentId, SignalKey
from app.domain.signals import Signal
from app.domain.strategy import MarketView, Strategy

StrategyBuilder = Callable[[str, Mapping[str, object]], Strategy]
"""Builds a strategy from its name and parameters; raises InvalidInputError."""


class Lease(Protocol):
    """Hold the right to run; `fence` grows with every holder (I11)."""

    @property
    def name(self) -> str:
        """Name the run."""

    @property
    def fence(self) -> int:
        """Return the fencing number that every write carries."""

    @property
    def spec(self) -> Mapping[str, Any]:
        """Say what the run is about; `venue` names its market."""

    def is_valid(self) -> bool:
        """Whether the holder may still write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Carry a signal to its transaction. `ts_event` is the exchange's time of the decision."""

    deployment: Deployment
    signal: Signal
    ts_event: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordResult:
    """Tell which signals stand in the database now, newly written or from an earlier run.

    A signal that is missing here was not written, and its strategy is asked again.
    """

    recorded: frozenset[tuple[DeploymentId, SignalKey]]


class Recorder(Protocol):
    """Record the wishes of one round of all users in one transaction: signal, decision, intent."""

    def record(self, wishes: Sequence[Wish], *, market: MarketView, lease: Lease) -> RecordResult:
        """Commit the wishes; a wish that already stands is not written again.

        Raises:
            LeaseLostError: another holder took over; nothing was written.
        """


class Halter(Protocol):
    """Halt a deployment whose strategy misbehaves; its open legs keep their exits."""

    def halt(self, deployment: Deployment, reason: str) -> None:
        """Store the halt with its reason and alarm people. Idempotent, thread-safe."""
