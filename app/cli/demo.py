"""The command that runs a whole trading day on simulators."""

import signal
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from app.demo.day import run_demo
from app.demo.display import Display
from app.demo.options import (
    Bell,
    DemoOptions,
    Faults,
    parse_broken,
    parse_loss_limits,
    parse_numbers,
    parse_venues,
    usual_venues,
)
from app.infra.clock import SystemClock

commands = typer.Typer()

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

_Accounts = Annotated[int, typer.Option(help="How many users, each with one account.")]
_Speed = Annotated[
    float, typer.Option(help="Virtual seconds per real second, at most; the moments that matter run at 1.")
]
_Day = Annotated[
    datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="Day of the NIFTY minutes to replay.")
]
_Close = Annotated[
    datetime, typer.Option("--close", formats=["%H:%M"], help="Close of the session, for a shorter day.")
]
_Seed = Annotated[int, typer.Option(help="Seed of prices, people and faults.")]
_Faults = Annotated[Faults, typer.Option(help="How the brokers behave; each: one fault after the other.")]
_Exit = Annotated[bool, typer.Option("--exit", help="End after the day; status 0 only if all is well.")]
_Report = Annotated[Path | None, typer.Option(help="Write the report there, as JSON.")]
_Journal = Annotated[Path | None, typer.Option(help="Write signals and intents there, to compare runs.")]
_Port = Annotated[
    int | None, typer.Option(help="Port of the dashboard; else OPENBELL_API_PORT or a free one.")
]
_Broken = Annotated[
    str, typer.Option(help="Accounts with a fault of their own, like bad_totp:1,hung_login:1,dead_egress:1.")
]
_Bell = Annotated[Bell, typer.Option(help="Ring the bell once, twice, or 40 s late.")]
_Kill = Annotated[
    datetime | None, typer.Option("--kill", formats=["%H:%M"], help="Press everybody's kill switch then.")
]
_Venues = Annotated[
    str,
    typer.Option(help="Markets side by side, like NSE,BINANCE; else all, below ten accounts NSE alone."),
]
_LossLimit = Annotated[
    str, typer.Option(help="Daily loss at which accounts are closed and locked, like u002:1500,u004:900.")
]
_Only = Annotated[str, typer.Option(help="With --faults each: numbers of the faults to play, like 2,13.")]
_Module = Annotated[str | None, typer.Option(help="Module whose strategies each get a user of their own.")]


@commands.command()
def demo(  # noqa: PLR0913  one option each
    *,
    accounts: _Accounts = 30,
    speed: _Speed = 600.0,
    day: _Day = datetime(2019, 1, 4),  # noqa: DTZ001  typer knows no dates
    closes: _Close = datetime(2019, 1, 2, 15, 30),  # noqa: DTZ001  typer knows no times of day
    seed: _Seed = 7,
    faults: _Faults = Faults.CALM,
    exits: _Exit = False,
    report: _Report = None,
    journal: _Journal = None,
    port: _Port = None,
    broken: _Broken = "",
    bell: _Bell = Bell.ONCE,
    kill: _Kill = None,
    strategy_module: _Module = None,
    venues: _Venues = "",
    only: _Only = "",
    loss_limit: _LossLimit = "",
) -> None:
    """Run a whole trading day on simulated brokers with real prices, and prove how it ended."""
    options = DemoOptions(
        accounts=accounts,
        speed=speed,
        day=day.date(),
        closes=closes.time(),
        seed=seed,
        faults=faults,
        exits=exits,
        report=report,
        journal=journal,
        port=port,
        broken=parse_broken(broken),
        bell=bell,
        kill_at=None if kill is None else kill.time(),
        strategy_module=strategy_module,
        venues=parse_venues(venues) if venues else usual_venues(accounts, faults),
        only=parse_numbers(only),
        loss_limits=parse_loss_limits(loss_limit),
    )
    _exit_unless_ok(_run(options))


def _exit_unless_ok(report: Mapping[str, Any]) -> None:
    if report["verdict"] != "ok":
        raise typer.Exit(EXIT_FAILED)


def _run(options: DemoOptions) -> dict[str, Any]:
    signal.signal(signal.SIGTERM, _as_interrupt)
    display = Display(SystemClock())
    try:
        return run_demo(options, display, linger=lambda: _linger(display))
    except KeyboardInterrupt:
        display.say("Interrupted; everything is stopped.")
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _linger(display: Display) -> None:
    display.say("The stack stays up; Ctrl-C stops everything.")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return


def _as_interrupt(_signum: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
