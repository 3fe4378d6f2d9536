"""The kill switch of the person at the machine: straight into PostgreSQL, whatever else is down."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import asdict
from typing import Annotated

import typer
from sqlalchemy.exc import OperationalError

from app.cli.carrying import OwnLanes
from app.cli.installation import Installation, opened_directly
from app.cli.tables import print_table, say
from app.domain.accounts import BrokerCode
from app.domain.commands import ControlAction, ControlScope
from app.domain.errors import InvalidInputError
from app.infra.clock import open_clock
from app.services.kill_switch import Kill, KilledAccount, follow_kill, press_kill_switch
from app.services.named import named_target
from app.services.risk_control import ControlTarget, moment_of

commands = typer.Typer()

_EXIT_NOT_FLAT = 1
_LOOK_EVERY_S = 0.5
_SHORTEST_REASON = 3

Family = Annotated[str | None, typer.Option("--family", metavar="FAMILY", help="All users of a family.")]
User = Annotated[str | None, typer.Option("--user", metavar="USER", help="All accounts of a user.")]
Account = Annotated[str | None, typer.Option("--account", metavar="USER/ACCOUNT", help="One account.")]
Broker = Annotated[BrokerCode | None, typer.Option("--broker", help="All accounts at a broker.")]
Deployment = Annotated[
    str | None, typer.Option("--deployment", metavar="USER/ACCOUNT/NAME", help="One deployment.")
]
All = Annotated[bool, typer.Option("--all", help="Everybody.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit log.")]


@commands.command()
def kill(  # noqa: PLR0913  one option per scope
    *,
    reason: Reason,
    family: Family = None,
    user: User = None,
    account: Account = None,
    broker: Broker = None,
    deployment: Deployment = None,
    is_all: All = False,
    is_sure: Annotated[bool, typer.Option("--yes", help="Ask for no confirmation.")] = False,
    wait_s: Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait until it is flat.")] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Stop entries and close every position now. Status 0 only when everything is flat.

    Writes into PostgreSQL: neither the API nor the queue nor Valkey is needed. Lanes that no worker runs
    run in this command while it waits.
    """
    scope, name = _chosen(
        family=family, user=user, account=account, broker=broker, deployment=deployment, is_all=is_all
    )
    _check_reason(reason)
    if not is_sure:
        _confirm(name)
    # Standard output is for the result alone.
    with redirect_stdout(sys.stderr), opened_directly() as home, OwnLanes(home) as lanes:
        command_id = _press(home, _target(home, scope, name), ControlAction.HALT, reason)
        last = None
        for seen in _watch(home, command_id, wait_s=wait_s):
            if last is None or seen.progress != last.progress:
                say(seen.progress)
            last = seen
            if not seen.is_flat:
                _take_over(lanes)
    if last is None:
        raise typer.Exit(_EXIT_NOT_FLAT)
    typer.echo(json.dumps(asdict(last), default=str, indent=1)) if as_json else _say_end(last)
    if not last.is_flat:
        raise typer.Exit(_EXIT_NOT_FLAT)


@commands.command()
def resume(
    *,
    reason: Reason,
    family: Family = None,
    user: User = None,
    account: Account = None,
    broker: Broker = None,
    deployment: Deployment = None,
    is_all: All = False,
) -> None:
    """Let trading go on where a kill switch stopped it; each scope that was stopped by itself."""
    scope, name = _chosen(
        family=family, user=user, account=account, broker=broker, deployment=deployment, is_all=is_all
    )
    _check_reason(reason)
    with opened_directly() as home:
        _press(home, _target(home, scope, name), ControlAction.RESUME, reason)
    say(f"{name} may trade again.")


def _chosen(*, is_all: bool, **names: str | None) -> tuple[ControlScope, str]:
    given = [(ControlScope(scope), name) for scope, name in names.items() if name is not None]
    given += [(ControlScope.TENANT, "everybody")] if is_all else []
    if len(given) != 1:
        raise InvalidInputError(
            f"expected one of --family, --user, --account, --broker, --deployment and --all, got {len(given)}"
        )
    return given[0]


def _confirm(named: str) -> None:
    words = f"HALT {named}"
    told = typer.prompt(f"Every position of {named} will be closed. Type {words!r} to go on", err=True)
    if told != words:
        raise InvalidInputError(f"expected the words {words!r}; nothing was changed")


def _check_reason(reason: str) -> None:
    if len(reason.strip()) < _SHORTEST_REASON:
        raise InvalidInputError("expected a reason for the audit log")


def _target(home: Installation, scope: ControlScope, name: str) -> ControlTarget:
    with home.database.begin() as session:
        return named_target(session, home.actor, scope, name)


def _press(home: Installation, target: ControlTarget, action: ControlAction, reason: str) -> int:
    clock = open_clock(home.settings.clock_file)
    return press_kill_switch(
        home.database,
        home.actor,
        target,
        action=action,
        reason=reason,
        moment=lambda: moment_of(clock),
    )


def _watch(home: Installation, command_id: int, *, wait_s: float) -> Iterator[Kill]:
    """Yield the state of a kill switch until it is flat or the time is over."""
    ends_at = time.monotonic() + wait_s
    while True:
        try:
            with home.database.begin() as session:
                kill = follow_kill(session, home.actor, command_id)
            yield kill
            if kill.is_flat:
                return
        except OperationalError as e:
            typer.echo(f"The database does not answer: {str(e.orig).strip().splitlines()[0]}", err=True)
        if time.monotonic() >= ends_at:
            return
        time.sleep(_LOOK_EVERY_S)


def _take_over(lanes: OwnLanes) -> None:
    for name in lanes.take_over():
        say(f"Nobody runs {name}: it runs here until this command ends.")


def _say_end(kill: Kill) -> None:
    print_table(
        ("ACCOUNT", "BROKER", "OPEN LEGS", "LIVE ENTRIES", "PRESS TO LAST ORDER", "FLAT AT (UTC)", "WHY NOT"),
        [_row(account) for account in kill.accounts],
        empty="Nothing was open.",
    )
    if kill.press_to_last_order.accounts:
        say(f"Press to last order: {kill.press_to_last_order}.")
    say("Everything is flat." if kill.is_flat else "NOT everything is flat: see the last column.")


def _row(account: KilledAccount) -> tuple[object, ...]:
    took, flat_at = account.press_to_last_order_ms, account.flat_at
    return (
        f"{account.user_name}/{account.account_name}",
        account.broker,
        account.open_legs,
        account.live_entries,
        None if took is None else f"{took} ms",
        None if flat_at is None else f"{flat_at:%H:%M:%S.%f}"[:-3],
        account.why_not_flat,
    )
