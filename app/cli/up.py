"""The commands that run the whole stack on this machine, and stop it."""

import json
import os
import signal
import threading
import time
from contextlib import ExitStack
from types import FrameType

import typer
from rich.console import Console

from app.config import Settings, load_settings
from app.domain.errors import ConflictError
from app.infra.clock import SystemClock
from app.infra.engine_watch import EngineWatch
from app.infra.engines.engines import Engines, ensure_engines, stop_engines
from app.infra.engines.locks import is_locked, try_lock
from app.infra.flower import FLOWER_USER, flower_password_file, flower_process, flower_url
from app.infra.migrations import migrate
from app.infra.processes import ProcessGroup, processes_path
from app.infra.stack import Addresses, is_free, notifier_specs, paper_spec, stack_specs, stop_stack

commands = typer.Typer()

_READY_S = 180.0
_STOP_S = 60.0
_LOCK = "up.lock"
_POLL_S = 0.2


@commands.command()
def up() -> None:
    """Run the whole stack on this machine until Ctrl-C: engines, Beat, workers, feed, API, Flower, paper."""
    settings = load_settings()
    signal.signal(signal.SIGTERM, _as_interrupt)
    console = Console(highlight=False, soft_wrap=True)
    with ExitStack() as stack:
        stack.callback(os.close, _sole_use(settings))
        try:
            _start(settings, stack, console)
            console.print("Ctrl-C stops everything.")
            threading.Event().wait()
        except KeyboardInterrupt:
            console.print("Stopping.")


@commands.command()
def down() -> None:
    """Stop the stack of this home, wherever it was started, and its embedded engines."""
    settings = load_settings()
    supervisor = _supervisor(settings)
    if supervisor is not None:
        os.kill(supervisor, signal.SIGTERM)
        _wait_until_free(settings)
    stop_engines(settings.home)
    typer.echo("Everything is stopped." if supervisor is not None else "Nothing was running.")


def _start(settings: Settings, stack: ExitStack, console: Console) -> None:
    redis_url = None if settings.redis_url is None else settings.redis_url.get_secret_value()
    database_url = None if settings.database_url is None else settings.database_url.get_secret_value()
    if not is_free(settings.paper_port):
        raise ConflictError(
            f"Port {settings.paper_port} is in use, so the paper exchange cannot have it: "
            "end what uses it, or set another OPENBELL_PAPER_PORT."
        )
    console.print("Starting PostgreSQL and Valkey.")
    engines = ensure_engines(settings.home, redis_url, database_url)
    stack.callback(stop_engines, settings.home)
    migrate(engines.database_url)
    watch = EngineWatch(settings.home, redis_url=redis_url, database_url=database_url)
    stack.callback(watch.stop)
    watch.start()
    group = ProcessGroup(settings.home, SystemClock(), on_crash_loop=console.print)
    stack.callback(stop_stack, group)
    flower, env = flower_process(settings), _environment(settings, engines)
    api_url = f"http://{settings.api_host}:{settings.api_port}"
    specs = (
        paper_spec(settings.paper_home.resolve(), port=settings.paper_port, clock_file=settings.clock_file),
        *stack_specs(
            Addresses(redis_url=engines.redis_url, api_url=api_url, flower_url=flower_url(settings)),
            SystemClock(),
            venues=settings.venues,
            env=env,
            flower_argv=flower.argv,
            flower_env=flower.env,
        ),
        *notifier_specs(is_wanted=settings.telegram_token is not None, env=env),
    )
    console.print(f"Starting {len(specs)} processes: {', '.join(spec.name for spec in specs)}.")
    group.start(specs, _READY_S)
    console.print(f"Dashboard  {api_url}/    sign in with a user of yours: openbell users add --help")
    console.print(f"API        {api_url}/api/openapi.json")
    password = flower_password_file(settings.home)
    console.print(f"Jobs       {flower_url(settings)}    user {FLOWER_USER}, password in {password}")
    console.print(f"Logs       {settings.home.resolve() / 'logs'}")


def _environment(settings: Settings, engines: Engines) -> dict[str, str]:
    return {
        "OPENBELL_HOME": str(settings.home.resolve()),
        "OPENBELL_REDIS_URL": engines.redis_url,
        "OPENBELL_DATABASE_URL": engines.database_url,
    }


def _sole_use(settings: Settings) -> int:
    settings.home.mkdir(parents=True, exist_ok=True)
    lock = try_lock(settings.home / _LOCK)
    if lock is None:
        raise ConflictError(
            f"The stack of {settings.home.resolve()} is running already; stop it: openbell down"
        )
    return lock


def _supervisor(settings: Settings) -> int | None:
    """Return the process that runs the stack, None when nobody does."""
    lock, state = settings.home / _LOCK, processes_path(settings.home)
    if not lock.exists() or not is_locked(lock) or not state.exists():
        return None
    supervisor: int = json.loads(state.read_text(encoding="utf-8"))["supervisor"]
    return supervisor


def _wait_until_free(settings: Settings) -> None:
    deadline = time.monotonic() + _STOP_S
    while is_locked(settings.home / _LOCK):
        if time.monotonic() > deadline:
            raise ConflictError(
                f"The stack of {settings.home.resolve()} did not stop within {_STOP_S:.0f} s."
            )
        time.sleep(_POLL_S)


def _as_interrupt(_signum: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
