"""Examine everything, one part after the other, whatever the parts before found."""

from collections.abc import Callable, Iterator

from app.domain.errors import ConfigError
from app.domain.ports import Clock
from app.infra.clock import SystemClock, open_clock
from app.services.deployments import StrategyBook
from app.services.doctor.configuration import Examined, examine_configuration, examine_live_switch
from app.services.doctor.findings import Finding, error
from app.services.doctor.machine import examine_calendar, examine_disk, examine_time, examine_versions
from app.services.doctor.people import examine_keys, examine_people
from app.services.doctor.storage import (
    examine_database_clock,
    examine_schema,
    examine_valkey,
    find_addresses,
    open_database,
)

BookLoader = Callable[[tuple[str, ...]], StrategyBook]


def examine(load_book: BookLoader) -> Iterator[Finding]:
    """Yield every finding about this installation. Starts, makes and changes nothing.

    Args:
        load_book: returns the strategies, built-in and of the given modules. Raises ConfigError.
    """
    examined = examine_configuration()
    yield from examined.findings
    settings = examined.settings
    yield from examine_versions()
    yield examine_disk(settings.home)
    clock: Clock = SystemClock()
    try:
        clock = open_clock(settings.clock_file)
    except ConfigError as e:
        yield error("clock", str(e), "unset OPENBELL_CLOCK_FILE")
    yield from examine_time(clock)
    yield from examine_calendar(clock)
    yield from _examine_services(examined, clock, load_book)


def _examine_services(examined: Examined, clock: Clock, load_book: BookLoader) -> Iterator[Finding]:
    settings = examined.settings
    addresses, findings = find_addresses(settings)
    yield from findings
    if addresses.redis_url is not None:
        yield from examine_valkey(addresses.redis_url, clock)
    database = None
    if addresses.database_url is not None:
        database, finding = open_database(addresses.database_url)
        yield finding
    if database is None:
        yield examine_keys(settings, None)[1]
        yield examine_live_switch(settings, live_accounts=0)
        return
    try:
        yield examine_database_clock(database, clock)
        schema = examine_schema(database)
        yield schema
        has_tables = not schema.remedy
        vault, keys = examine_keys(settings, database if has_tables else None)
        yield keys
        if has_tables:
            yield from examine_people(
                settings, database, vault, load_book=lambda: load_book(settings.strategy_modules)
            )
        else:
            yield examine_live_switch(settings, live_accounts=0)
    finally:
        database.close()
