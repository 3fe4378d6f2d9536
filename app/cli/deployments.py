"""Commands on deployments: a strategy running for a user on an account."""

from datetime import datetime
from typing import Annotated

import typer

from app.cli.installation import opened
from app.cli.pairs import read_pairs
from app.cli.tables import print_table, say
from app.db.scope import DataScope
from app.db.views.sizing import last_signal_day
from app.infra.clock import open_clock
from app.services.accounts import list_accounts
from app.services.deployments import (
    NewDeployment,
    create_deployment,
    list_deployments,
    pause_deployment,
    resume_deployment,
    set_sizing,
)
from app.services.sizing_drift import read_drift
from app.services.users import list_users
from strategies.registry import load_registry

commands = typer.Typer(help="Strategies on accounts.", no_args_is_help=True)

Path = Annotated[str, typer.Argument(metavar="USER/ACCOUNT/NAME", help="The deployment.")]
Sizing = Annotated[
    list[str] | None,
    typer.Option(
        "--sizing",
        metavar="NAME=VALUE",
        help="Repeatable: model=fixed_risk, fraction=0.01, max_lots=10; models: docs/risk.md.",
    ),
]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit log.")]


@commands.command()
def add(
    path: Path,
    strategy: Annotated[str, typer.Option(help="Name of the strategy.")],
    params: Annotated[
        list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="Repeatable.")
    ] = None,
    limits: Annotated[
        list[str] | None, typer.Option("--limit", metavar="NAME=VALUE", help="Repeatable.")
    ] = None,
    sizing: Sizing = None,
) -> None:
    """Put a strategy on an account; it is armed at the next opening."""
    account_path, _, name = path.rpartition("/")
    wish = NewDeployment(
        name=name,
        strategy=strategy,
        params=read_pairs(params),
        limits=read_pairs(limits),
        sizing=read_pairs(sizing),
    )
    with opened() as home, home.database.begin() as session:
        account = home.account(session, account_path)
        book = load_registry(home.settings.strategy_modules)
        create_deployment(session, home.actor, account, wish, book=book)
    say(f"Deployed {strategy} as {path}.")


@commands.command("list")
def list_() -> None:
    """List all deployments."""
    with opened() as home, home.database.begin() as session:
        users = {user.user_id: user.name for user in list_users(session, home.actor)}
        accounts = {a.account_id: f"{users[a.user_id]}/{a.name}" for a in list_accounts(session, home.actor)}
        rows = [
            (
                f"{accounts[d.account_id]}/{d.name}",
                d.strategy,
                f"{d.state} {d.state_reason}".strip(),
                _words(d.params),
                _words(d.limits),
                _words(d.sizing),
            )
            for d in list_deployments(session, home.actor)
        ]
    headings = ("DEPLOYMENT", "STRATEGY", "STATE", "PARAMETERS", "LIMITS", "SIZING")
    print_table(
        headings, rows, empty="No deployments yet; add one: openbell deployments add USER/ACCOUNT/NAME"
    )


@commands.command()
def pause(path: Path, reason: Reason) -> None:
    """Ask the strategy for no more signals; what it holds stays protected."""
    with opened() as home, home.database.begin() as session:
        deployment = home.deployment(session, path)
        pause_deployment(session, home.actor, deployment.deployment_id, reason=reason)
    say(f"Paused {path}.")


@commands.command()
def resume(path: Path, reason: Reason) -> None:
    """Ask a paused or halted strategy for signals again."""
    with opened() as home, home.database.begin() as session:
        deployment = home.deployment(session, path)
        now = open_clock(home.settings.clock_file).now()
        resume_deployment(session, home.actor, deployment.deployment_id, reason=reason, now=now)
    say(f"Resumed {path}.")


@commands.command()
def size(path: Path, reason: Reason, sizing: Sizing = None) -> None:
    """Size the entries by a model from the next one on; without --sizing as the strategy wishes."""
    model = read_pairs(sizing)
    with opened() as home, home.database.begin() as session:
        deployment = home.deployment(session, path)
        set_sizing(session, home.actor, deployment.deployment_id, model, reason=reason)
    say(f"{path} is sized by {_words(model) or 'its strategy'}.")


@commands.command()
def drift(
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="Day of the signals; the last one when left out."),
    ] = None,
) -> None:
    """Show what every account wished and got of each signal, in lots, the widest apart first."""
    everybody = DataScope(user_id=None)
    with opened() as home, home.database.begin() as session:
        on = last_signal_day(session, everybody) if day is None else day.date()
        lines = [] if on is None else read_drift(session, everybody, day=on)
    rows = [
        (
            line.signal,
            line.instrument_id,
            f"{line.account}/{line.deployment_name}",
            f"{line.wished:.2f}",
            f"{line.sized:.0f}",
            f"{line.got:.2f}",
            f"{line.drift:+.2f}",
            line.denial_code,
        )
        for line in lines
    ]
    headings = ("SIGNAL", "INSTRUMENT", "DEPLOYMENT", "WISHED", "SIZED", "GOT", "DRIFT", "DENIED")
    print_table(headings, rows, empty="No entry was wished.")


def _words(values: object) -> str:
    return " ".join(f"{k}={v}" for k, v in values.items()) if isinstance(values, dict) else ""
