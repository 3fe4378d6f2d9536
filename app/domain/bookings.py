"""Hold what is booked for holding a position: funding, swap, the tax on an exercise."""

from dataclasses import dataclass
from datetime import date, datetime

from app.domain.charges import Charge
from app.domain.ids import DeploymentId, InstrumentId
from app.domain.markets import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """Book one event of an account, or a deployment's part of it.

    `charge` and `ref` name the event: the same event is booked once, however often it is told. `taken` is
    what it cost (negative: it brought). `deployment_id` None belongs to nobody of ours. `formula` says in
    numbers where an amount that we reckoned (`is_estimated`) comes from, or whose word it is.
    """

    charge: Charge
    ref: str
    day: date
    instrument_id: InstrumentId | None
    deployment_id: DeploymentId | None
    taken: Money
    ts_event: datetime
    is_estimated: bool
    formula: str

    @property
    def event(self) -> tuple[Charge, str]:
        """What tells this event from others of the account."""
        return self.charge, self.ref
