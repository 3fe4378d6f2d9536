"""Hold the parts of a running demo."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.db.session import Database
from app.demo.display import Display
from app.demo.fault_desk import FaultDesk
from app.demo.house import House
from app.demo.markets import DemoMarket
from app.demo.options import DemoOptions
from app.demo.population import Person
from app.demo.timeline import Timeline
from app.domain.ids import AccountId
from app.domain.instruments import Venue
from app.infra.processes import ProcessGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that runs while the day is driven."""

    options: DemoOptions
    house: House
    database: Database
    group: ProcessGroup
    markets: Mapping[Venue, DemoMarket]
    people: Mapping[AccountId, Person]
    timeline: Timeline
    display: Display
    faults: FaultDesk
