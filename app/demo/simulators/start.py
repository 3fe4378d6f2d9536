"""Start the simulated brokers that a demo needs."""

from collections.abc import Sequence

from app.demo.house import House
from app.demo.options import DemoOptions
from app.demo.population import Person
from app.demo.simulators import binance, kotak, mt5
from app.demo.simulators.control import SimulatorControl
from app.demo.simulators.process import simulator_spec
from app.domain.instruments import Venue
from app.domain.markets import MARKETS
from app.infra.processes import ProcessGroup

_READY_S = 60.0
_PROCESS_NAMES = {
    Venue.NSE: "simulator",
    Venue.BINANCE: "simulator-binance",
    Venue.MT5: "simulator-mt5",
}


def start_simulators(
    options: DemoOptions, house: House, group: ProcessGroup, people: Sequence[Person]
) -> dict[Venue, SimulatorControl]:
    """Start a simulator for each venue, and the agents in front of MT5's terminals; return their doors."""
    folder = house.settings.home
    controls: dict[Venue, SimulatorControl] = {}
    for venue in options.venues:
        clients = [person for person in people if person.broker in MARKETS[venue].brokers]
        match venue:
            case Venue.BINANCE:
                arguments = binance.arguments(options, clients, folder)
                controls[venue] = binance.BinanceControl(house.simulator_url(venue))
            case Venue.MT5:
                arguments = mt5.arguments(options, clients, folder)
                controls[venue] = mt5.Mt5Control(house.simulator_url(venue))
            case _:
                arguments = kotak.arguments(options, clients, folder)
                controls[venue] = kotak.KotakControl(house.simulator_url(venue))
        spec = simulator_spec(_PROCESS_NAMES[venue], arguments, port=house.simulator_ports[venue])
        group.start([spec], _READY_S)
        if venue is Venue.MT5:
            url = house.simulator_url(venue)
            agents = [
                mt5.agent_spec(person, day=options.day, folder=folder, simulator_url=url)
                for person in clients
            ]
            group.start(agents, _READY_S)
    return controls
