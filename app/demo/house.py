"""Set up a place of its own for a demo: engines, schema, clock and settings, apart from the user's data."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from app.config import Settings, load_settings
from app.demo.options import DemoOptions
from app.domain.errors import ConflictError
from app.domain.instruments import Venue
from app.domain.markets import MARKETS
from app.infra.clock import VirtualClock
from app.infra.engine_watch import EngineWatch
from app.infra.engines.engines import Engines, ensure_engines, stop_engines
from app.infra.engines.locks import try_lock
from app.infra.flower import flower_url
from app.infra.migrations import migrate
from app.infra.stack import free_port, is_free

FOLDER = "demo"
TIMED_TRADES = "app.demo.timed_trades"
_NOT_PLACED_AFTER_S = 20.0
"""The simulator places a lost order at most 8 s late and hangs at most 8 s; Kotak's own bound is 90 s."""
_ACCOUNTS_READ_PER_S = 15.0
"""Book reads of one machine that plays the broker too."""


_WATCHED_EACH_S = 0.03
_WATCHED_EACH_VIRTUAL_S = 2.0
"""Virtual time waits for the risk watch at each round of prices; minutes may pass in less than a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Hold where a demo lives. `env` gives its processes the same settings."""

    settings: Settings
    engines: Engines
    watch: EngineWatch
    clock: VirtualClock
    simulator_ports: Mapping[Venue, int]
    env: Mapping[str, str]

    def simulator_url(self, venue: Venue) -> str:
        """Return the address of a venue's simulated broker."""
        return _url(self.simulator_ports[venue])

    @property
    def api_url(self) -> str:
        """Address of the dashboard."""
        return f"http://127.0.0.1:{self.settings.api_port}"

    @property
    def flower_url(self) -> str:
        """Address of the job monitor."""
        return flower_url(self.settings)


@contextmanager
def open_house(options: DemoOptions, *, start: datetime) -> Iterator[House]:
    """Yield a fresh demo home with running engines; they are stopped at the end, its files stay to read.

    Raises: ConflictError when a demo runs in this home already.
    """
    base = load_settings()
    home = base.home.resolve() / FOLDER
    with _sole_use(base.home.resolve()):
        stop_engines(home)
        shutil.rmtree(home, ignore_errors=True)
        engines = ensure_engines(home, None, None)
        watch = EngineWatch(home, redis_url=None, database_url=None)
        try:
            migrate(engines.database_url)
            yield _furnish(base, options, home=home, engines=engines, watch=watch, start=start)
        finally:
            watch.stop()
            stop_engines(home)


@contextmanager
def _sole_use(parent: Path) -> Iterator[None]:
    parent.mkdir(parents=True, exist_ok=True)
    lock = try_lock(parent / f"{FOLDER}.lock")
    if lock is None:
        raise ConflictError(
            f"A demo runs in {parent / FOLDER} already. Stop it, or set OPENBELL_HOME to another folder."
        )
    try:
        yield
    finally:
        os.close(lock)


def _furnish(
    base: Settings,
    options: DemoOptions,
    *,
    home: Path,
    engines: Engines,
    watch: EngineWatch,
    start: datetime,
) -> House:
    ports = {venue: free_port() for venue in options.venues}
    asked = (options.strategy_module, TIMED_TRADES if options.plays_each else None)
    modules = tuple(module for module in asked if module is not None)
    settings = base.model_copy(
        update={
            "home": home,
            "redis_url": SecretStr(engines.redis_url),
            "database_url": SecretStr(engines.database_url),
            "api_port": _port(options.port, base.api_port),
            "flower_port": _port(options.flower_port, base.flower_port),
            "clock_file": home / "clock",
            "venues": options.venues,
            "broker_urls": {
                broker.value: _url(port) for venue, port in ports.items() for broker in MARKETS[venue].brokers
            },
            "is_live_trading_allowed": False,
            "not_placed_after_s": _NOT_PLACED_AFTER_S,
            "reconcile_period_s": max(base.reconcile_period_s, options.accounts / _ACCOUNTS_READ_PER_S),
            "risk_watch_period_s": _watch_period(base, options.speed),
            "strategy_modules": (*base.strategy_modules, *modules),
        }
    )
    return House(
        settings=settings,
        engines=engines,
        watch=watch,
        clock=VirtualClock.create(home / "clock", at=start, rate=0.0),
        simulator_ports=ports,
        env=environment(settings),
    )


def _watch_period(base: Settings, speed: float) -> float:
    return min(base.risk_watch_period_s, max(_WATCHED_EACH_S, _WATCHED_EACH_VIRTUAL_S / speed))


def environment(settings: Settings) -> dict[str, str]:
    """Return the settings that a demo changes as environment variables."""
    plain = settings.model_dump(mode="json")
    secret = {
        "redis_url": settings.redis_url,
        "database_url": settings.database_url,
    }
    changed = (
        "home",
        "api_port",
        "flower_port",
        "clock_file",
        "is_live_trading_allowed",
        "not_placed_after_s",
        "reconcile_period_s",
        "risk_watch_period_s",
    )
    env = {f"OPENBELL_{name.upper()}": str(plain[name]) for name in changed}
    env |= {f"OPENBELL_{k.upper()}": v.get_secret_value() for k, v in secret.items() if v is not None}
    for name in ("broker_urls", "strategy_modules", "venues"):
        env[f"OPENBELL_{name.upper()}"] = json.dumps(getattr(settings, name))
    return env


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _port(asked: int | None, usual: int) -> int:
    if asked is not None:
        return asked
    return usual if is_free(usual) else free_port()
