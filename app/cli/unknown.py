"""Commands on orders whose outcome is unknown."""

from typing import Annotated

import typer

from app.cli.installation import opened
from app.cli.tables import print_table, say
from app.db.scope import DataScope
from app.db.views import AnyRow
from app.db.views.trading import read_order_events
from app.domain.errors import InvalidInputError
from app.domain.ids import BrokerOrderId, OrderId
from app.domain.numbers import plain
from app.domain.reconciliation import CLEAN_MISSES_NEEDED
from app.domain.unknown_orders import Fate, Settlement
from app.infra.clock import open_clock
from app.services.risk_control import Moment
from app.services.timeline import trading_day
from app.services.unknown_orders import UnknownCase, get_once_unknown, list_unknown, settle_unknown

commands = typer.Typer(help="Orders whose outcome is unknown.", no_args_is_help=True)

_EVERYBODY = DataScope(user_id=None)
Order = Annotated[int, typer.Argument(metavar="ORDER", help="The order's number, as `list` shows it.")]


@commands.command("list")
def list_() -> None:
    """List the orders whose outcome is unknown, oldest first."""
    with opened() as home, home.database.begin() as session:
        wall = open_clock(home.settings.clock_file).wall()
        cases = list_unknown(session, _EVERYBODY, wall=wall)
    headings = ("ORDER", "AGE", "ACCOUNT", "INSTRUMENT", "WISH", "AT STAKE", "CLEAN MISSES")
    print_table(headings, [_row(case) for case in cases], empty="No order has an unknown outcome.")


@commands.command()
def show(order: Order) -> None:
    """Show what was asked of the broker, what it answered, and each look for the order since."""
    with opened() as home, home.database.begin() as session:
        wall = open_clock(home.settings.clock_file).wall()
        case = get_once_unknown(session, _EVERYBODY, OrderId(order), wall=wall)
        events = read_order_events(session, _EVERYBODY, OrderId(order))
    _say_order(case)
    told = [
        (f"{event.wall:%H:%M:%S.%f}"[:-3], event.kind, event.source, _words(event.details))
        for event in events
    ]
    print_table(("AT (UTC)", "EVENT", "FROM", "DETAILS"), told, empty="Nothing happened to it.")
    say("")
    looks = [(_span(e), e.source, e.looks, _worth(e), e.seen) for e in case.evidence]
    print_table(("AT (UTC)", "SOURCE", "LOOKS", "WORTH", "SEEN"), looks, empty="Nobody has looked yet.")


@commands.command()
def resolve(
    order: Order,
    *,
    reason: Annotated[str, typer.Option(help="How you know; kept in the audit log.")],
    placed_as: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="The broker's number of the order.")
    ] = None,
    is_not_placed: Annotated[bool, typer.Option("--not-placed", help="The broker never got it.")] = False,
    is_confirmed: Annotated[
        bool, typer.Option("--confirm", help="You have asked the broker and answer for it.")
    ] = False,
) -> None:
    """Say what became of an order; refused while the evidence speaks against it, unless confirmed."""
    if is_not_placed == (placed_as is not None):
        raise InvalidInputError("expected either --placed-as NUMBER or --not-placed")
    settlement = Settlement(
        fate=Fate.NOT_PLACED if placed_as is None else Fate.PLACED,
        broker_order_id=None if placed_as is None else BrokerOrderId(placed_as),
        reason=reason,
        is_confirmed=is_confirmed,
    )
    with opened() as home, home.database.begin() as session:
        clock = open_clock(home.settings.clock_file)
        now = clock.now()
        moment = Moment(day=trading_day(now), now=now, wall=clock.wall())
        settled = settle_unknown(session, home.actor, OrderId(order), settlement, moment=moment)
    say(f"order {order} is {settled.status}{'' if settled.is_news else ', as it was already'}.")


def _say_order(case: UnknownCase) -> None:
    row = case.order
    say(f"order {row.id}, tag {row.client_order_id}, is {row.status}{' and unknown' * row.is_unknown}")
    say(f"{_wish(case)} {row.instrument_id} at {row.price or row.trigger_price or 'the market'}")
    say(f"account {row.user_name}/{row.account_name} at {row.broker}, deployment {row.deployment_name}")
    if row.is_unknown:
        deadline = case.standing.provable_from
        say(f"absence counts as proof from {f'{deadline:%H:%M:%S} UTC' if deadline else 'a time to come'}")
        say(f"clean reads without it: {row.clean_misses} of {CLEAN_MISSES_NEEDED}")
    say(f"next: {case.next_step}\n")


def _row(case: UnknownCase) -> tuple[object, ...]:
    row = case.order
    return (
        row.id,
        None if case.age_s is None else f"{case.age_s} s",
        f"{row.user_name}/{row.account_name}",
        row.instrument_id,
        _wish(case),
        None if case.at_stake is None else f"{plain(case.at_stake):f} {case.currency}",
        f"{row.clean_misses} of {CLEAN_MISSES_NEEDED}",
    )


def _wish(case: UnknownCase) -> str:
    return f"{case.order.role} {case.order.side} {case.order.quantity:f}"


def _span(entry: AnyRow) -> str:
    return f"{entry.first_wall:%H:%M:%S}-{entry.last_wall:%H:%M:%S}"


def _worth(entry: AnyRow) -> str:
    return "proof" if entry.is_proof else "clean" if entry.is_clean else "no proof"


def _words(details: dict[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in details.items() if value not in (None, ""))
