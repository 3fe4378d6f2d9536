"""Commands on signals from outside: hand one in, follow it, and the keys of programs that do."""

import secrets
from decimal import Decimal
from typing import Annotated

import typer

from app.cli.installation import Installation, opened
from app.cli.tables import print_table, say
from app.db.scope import DataScope
from app.domain.deployments import Deployment
from app.domain.external import Amount, Door, ExternalWish, Leave, Target, Trade, Unit
from app.domain.ids import InstrumentId
from app.domain.numbers import parse_decimal
from app.domain.orders import Side
from app.infra.calendars import load_calendar
from app.infra.charge_tables import load_charges
from app.infra.clock import open_clock
from app.infra.streams import connect_impatient
from app.services.api_keys import issue_api_key, list_keys, revoke_keys
from app.services.costs import Costs
from app.services.external_signals import Answer, ExternalSignals, open_external_signals

commands = typer.Typer(help="Signals from outside, for a deployment of `external`.", no_args_is_help=True)
key_commands = typer.Typer(help="Keys with which programs hand signals in.", no_args_is_help=True)

Path = Annotated[str, typer.Argument(metavar="USER/ACCOUNT/NAME", help="The deployment.")]
Instrument = Annotated[str, typer.Argument(metavar="INSTRUMENT", help="Like NIFTY-20261124-26050-CE.NSE.")]
Key = Annotated[str, typer.Option(help="The same key never trades twice; made up when left out.")]
Stop = Annotated[str, typer.Option(help="Stop this far from the entry, 0.30 = 30 %; else the deployment's.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit log.")]
KeyName = Annotated[str, typer.Option("--name", help="What the key is called.")]


@commands.command()
def target(
    path: Path,
    instrument: Instrument,
    lots: Annotated[int, typer.Option(help="Lots to hold, negative for short, 0 for flat.")],
    *,
    key: Key = "",
    stop_fraction: Stop = "",
    reason: Reason = "",
) -> None:
    """Ask to hold so many lots, whatever is held now."""
    ask = Target(amount=Amount(value=Decimal(lots), unit=Unit.LOTS))
    _hand_in(path, instrument, ask, key=key, stop_fraction=stop_fraction, reason=reason)


@commands.command()
def buy(
    path: Path,
    instrument: Instrument,
    lots: Annotated[int, typer.Option(help="Lots more.")],
    *,
    key: Key = "",
    stop_fraction: Stop = "",
    reason: Reason = "",
) -> None:
    """Buy so many lots more, or close exactly that much that is short."""
    ask = Trade(side=Side.BUY, amount=Amount(value=Decimal(lots), unit=Unit.LOTS))
    _hand_in(path, instrument, ask, key=key, stop_fraction=stop_fraction, reason=reason)


@commands.command()
def sell(
    path: Path,
    instrument: Instrument,
    lots: Annotated[int, typer.Option(help="Lots more.")],
    *,
    key: Key = "",
    stop_fraction: Stop = "",
    reason: Reason = "",
) -> None:
    """Sell so many lots more, or close exactly that much that is held."""
    ask = Trade(side=Side.SELL, amount=Amount(value=Decimal(lots), unit=Unit.LOTS))
    _hand_in(path, instrument, ask, key=key, stop_fraction=stop_fraction, reason=reason)


@commands.command()
def leave(
    path: Path,
    instrument: Annotated[
        str | None, typer.Argument(metavar="[INSTRUMENT]", help="All of them when left out.")
    ] = None,
    *,
    key: Key = "",
    reason: Reason = "",
) -> None:
    """Close what the deployment holds."""
    _hand_in(path, instrument, Leave(), key=key, stop_fraction="", reason=reason)


@commands.command("list")
def list_(path: Path) -> None:
    """List what was handed in today, and what it came to."""
    with opened() as home:
        answers = _doors(home).list_day(home.actor, _deployment(home, path).deployment_id)
    rows = [_row(answer) for answer in answers]
    print_table(_HEADINGS, rows, empty="Nothing was handed in today.")


@commands.command()
def show(signal_id: Annotated[int, typer.Argument(help="Its number.")]) -> None:
    """Show what was handed in, with its orders as they are now."""
    with opened() as home:
        answer = _doors(home).follow(DataScope(user_id=None), signal_id)
    print_table(_HEADINGS, [_row(answer)], empty="")


@key_commands.command("add")
def add_key(path: Path, name: KeyName) -> None:
    """Print a new key, this once; it hands in signals for this deployment and does nothing else."""
    with opened() as home:
        deployment = _deployment(home, path)
        with home.database.begin() as session:
            text = issue_api_key(session, home.actor, deployment, name=name)
    typer.echo(text)


@key_commands.command("list")
def list_of_keys(path: Path) -> None:
    """List a deployment's keys by how they begin."""
    with opened() as home:
        deployment = _deployment(home, path)
        with home.database.begin() as session:
            keys = list_keys(session, home.actor, deployment)
    rows = [(key.name, f"{key.hint}...", f"{key.created_at:%Y-%m-%d %H:%M}", key.revoked_at) for key in keys]
    print_table(("NAME", "KEY", "ISSUED (UTC)", "REVOKED"), rows, empty="No keys yet.")


@key_commands.command("revoke")
def revoke_key(path: Path, name: KeyName, reason: Annotated[str, typer.Option(help="Why.")]) -> None:
    """End the keys of this name at once."""
    with opened() as home:
        deployment = _deployment(home, path)
        with home.database.begin() as session:
            count = revoke_keys(session, home.actor, deployment, name=name, reason=reason)
    say(f"Revoked {count} of {name}.")


_HEADINGS = ("SIGNAL", "KEY", "CAME BY", "INSTRUMENT", "OUTCOME", "SIDE", "UNITS", "ORDERS", "CODE", "WHY")


def _row(answer: Answer) -> tuple[object, ...]:
    signal = answer.signal
    orders = " ".join(f"{order.id}:{order.status}" for order in answer.orders)
    return (
        signal.id,
        signal.key,
        signal.door,
        signal.instrument_id or "all",
        signal.outcome,
        signal.side,
        None if signal.quantity is None else f"{signal.quantity:f}",
        orders,
        answer.code,
        answer.message,
    )


def _hand_in(
    path: str,
    instrument: str | None,
    ask: Target | Trade | Leave,
    *,
    key: str,
    stop_fraction: str,
    reason: str,
) -> None:
    wish = ExternalWish(
        key=key or f"cli-{secrets.token_hex(8)}",
        instrument_id=None if instrument is None else InstrumentId(instrument),
        ask=ask,
        reason=reason,
        stop_fraction=parse_decimal(stop_fraction, name="stop_fraction") if stop_fraction else None,
    )
    with opened() as home:
        deployment_id = _deployment(home, path).deployment_id
        answer = _doors(home).hand_in(home.actor, deployment_id, wish, door=Door.CLI)
    answer.require_taken()
    print_table(_HEADINGS, [_row(answer)], empty="")


def _doors(home: Installation) -> ExternalSignals:
    clock = open_clock(home.settings.clock_file)
    valkey = connect_impatient(home.addresses.redis_url)
    return open_external_signals(
        home.database, clock, load_calendar(), valkey=valkey, costs=Costs(load_charges())
    )


def _deployment(home: Installation, path: str) -> Deployment:
    with home.database.begin() as session:
        return home.deployment(session, path)
