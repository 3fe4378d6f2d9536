"""Run the whole demo: house, people, simulator, stack, governor, report."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

from app.db.session import Database
from app.demo.closing import close_day
from app.demo.display import Display
from app.demo.driving import drive
from app.demo.fault_desk import FaultDesk
from app.demo.fault_schedule import FaultWindow, instants, plan_faults
from app.demo.house import open_house
from app.demo.kill import kill_instant
from app.demo.markets import DemoMarket
from app.demo.options import DemoOptions
from app.demo.population import Person, invent_people, trading_by_the_clock
from app.demo.setup import settle_people, sign_in_lines, trading_session
from app.demo.simulators.control import SimulatorControl
from app.demo.simulators.start import start_simulators
from app.demo.stage import Stage
from app.demo.timeline import LEAD, entry_offsets, lay_out, real_windows
from app.domain.calendar_rules import TradingSession
from app.domain.instruments import Venue
from app.domain.markets import MARKETS
from app.domain.phases import phase_schedule
from app.infra.clock import SystemClock
from app.infra.flower import FLOWER_USER, flower_password_file, flower_process
from app.infra.processes import ProcessGroup
from app.infra.stack import Addresses, notifier_specs, stack_specs, stop_stack
from app.services.credentials import open_vault
from strategies.registry import Registry, load_registry

_READY_S = 180.0
Windows = Sequence[tuple[datetime, datetime]]


def run_demo(options: DemoOptions, display: Display, *, linger: Callable[[], None]) -> dict[str, Any]:
    """Run the day, write report and journal, and return the report.

    Args:
        options: what kind of day.
        display: where progress goes.
        linger: called after the day, while the stack is up, unless `options.exits`; returns when the
            person has seen enough.
    """
    started = time.monotonic()
    with ExitStack() as stack:
        stage = _set_the_stage(options, display, stack)
        record = drive(stage)
        report = close_day(stage, record, took_s=time.monotonic() - started)
        display.summarize(report)
        if not options.exits:
            _say_addresses(stage)
            linger()
        display.say("Stopping.")
    return report


def _set_the_stage(options: DemoOptions, display: Display, stack: ExitStack) -> Stage:
    sessions = {venue: trading_session(options, MARKETS[venue]) for venue in options.venues}
    session = sessions[Venue.NSE]
    phases = phase_schedule(session, MARKETS[Venue.NSE].times)
    display.say("Starting the demo's own PostgreSQL and Valkey.")
    house = stack.enter_context(open_house(options, start=phases[0].due_at - LEAD))
    database = Database(house.engines.database_url)
    stack.callback(database.close)
    registry = load_registry(house.settings.strategy_modules)
    faults = plan_faults(session, options.only) if options.plays_each else ()
    display.say(f"Inventing {options.accounts} accounts.")
    people = settle_people(
        database,
        open_vault(house.settings, database),
        people=_people(options, registry, faults, sessions),
        sessions=list(sessions.values()),
        book=registry,
    )
    group = ProcessGroup(house.settings.home, SystemClock(), on_crash_loop=display.say)
    stack.callback(stop_stack, group)
    windows = real_windows(session, phases, _moments(options, session, people.values()))
    controls = start_simulators(options, house, group, list(people.values()))
    markets = {venue: _open_market(sessions[venue], control, windows) for venue, control in controls.items()}
    for control in controls.values():
        stack.callback(control.close)
    others = {phase.due_at for market in markets.values() for phase in market.phases} | set(instants(faults))
    stage = Stage(
        options=options,
        house=house,
        database=database,
        group=group,
        markets=markets,
        people=people,
        timeline=lay_out(session, phases, windows, ticks=markets[Venue.NSE].ticks, others=others),
        display=display,
        faults=FaultDesk(faults, controls),
    )
    _start_stack(stage)
    return stage


def _moments(options: DemoOptions, session: TradingSession, people: Iterable[Person]) -> list[timedelta]:
    offsets = entry_offsets(placement.params for person in people for placement in person.placements)
    pressed_at = kill_instant(options, session)
    return offsets if pressed_at is None else [*offsets, pressed_at - session.open_at]


def _people(
    options: DemoOptions,
    registry: Registry,
    faults: Sequence[FaultWindow],
    sessions: Mapping[Venue, TradingSession],
) -> Sequence[Person]:
    people = invent_people(options, _under_test(registry) if options.strategy_module else ())
    return trading_by_the_clock(people, faults, sessions) if faults else people


def _open_market(session: TradingSession, control: SimulatorControl, windows: Windows) -> DemoMarket:
    control.set_windows(windows)
    return DemoMarket(
        session=session,
        phases=phase_schedule(session, MARKETS[session.venue].times),
        simulator=control,
        ticks=control.schedule(),
    )


def _under_test(registry: Registry) -> Sequence[str]:
    usual = load_registry().names()
    return [name for name in registry.names() if name not in usual]


def _start_stack(stage: Stage) -> None:
    house = stage.house
    flower = flower_process(house.settings)
    addresses = Addresses(
        redis_url=house.engines.redis_url,
        api_url=house.api_url,
        flower_url=house.flower_url,
    )
    specs = (
        *stack_specs(
            addresses,
            SystemClock(),
            venues=house.settings.venues,
            env=house.env,
            flower_argv=flower.argv,
            flower_env=flower.env,
        ),
        *notifier_specs(is_wanted=house.settings.telegram_token is not None, env=house.env),
    )
    stage.display.say(f"Starting {len(specs)} processes: {', '.join(spec.name for spec in specs)}.")
    house.watch.start()
    stage.group.start(specs, _READY_S)
    _say_addresses(stage)


def _say_addresses(stage: Stage) -> None:
    house, say = stage.house, stage.display.say
    password = flower_password_file(house.settings.home)
    say(f"Dashboard  {house.api_url}/    sign in with {', '.join(sign_in_lines())}")
    say(f"API        {house.api_url}/api/openapi.json")
    say(f"Jobs       {house.flower_url}    user {FLOWER_USER}, password in {password}")
    say(f"Logs       {house.settings.home / 'logs'}")
