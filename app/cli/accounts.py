"""Commands on broker accounts."""

from typing import Annotated

import typer

from app.cli.installation import opened
from app.cli.pairs import read_pairs
from app.cli.secrets_in import read_fields
from app.cli.tables import print_table, say
from app.db.credentials import list_accounts_with_credentials_for_staff
from app.domain.accounts import BrokerCode
from app.domain.entry_checks import credential_fields
from app.services.account_settings import change_settings
from app.services.accounts import (
    create_account,
    go_live,
    go_paper,
    list_accounts,
    live_confirmation,
    place_on_egress,
    set_enabled,
)
from app.services.credentials import store_credentials
from app.services.users import get_user_by_name, list_users

commands = typer.Typer(help="Broker accounts: credentials, address, paper or live.", no_args_is_help=True)

Account = Annotated[str, typer.Argument(metavar="USER/ACCOUNT", help="The user's and the account's name.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit log.")]


@commands.command()
def add(
    account: Account,
    broker: Annotated[BrokerCode, typer.Option(help="The broker behind the account.")] = BrokerCode.KOTAK_NEO,
    egress: Annotated[str, typer.Option(help="Source address of its orders; empty: default route.")] = "",
    ip_group: Annotated[str, typer.Option(help="Family that may share one address.")] = "",
) -> None:
    """Open an account, on paper. Set its credentials next."""
    user_name, _, name = account.partition("/")
    with opened() as home, home.database.begin() as session:
        user = get_user_by_name(session, home.actor, user_name)
        create_account(
            session, home.actor, user.user_id, name=name, broker=broker, egress=egress, ip_group=ip_group
        )
    say(f"Added {account} at {broker}, on paper.")


@commands.command("list")
def list_() -> None:
    """List all accounts."""
    with opened() as home, home.database.begin() as session:
        names = {user.user_id: user.name for user in list_users(session, home.actor)}
        with_secrets = list_accounts_with_credentials_for_staff(session)
        rows = [
            (
                f"{names[a.user_id]}/{a.name}",
                a.broker,
                a.mode,
                a.egress or "default route",
                a.ip_group,
                "yes" if a.account_id in with_secrets else "no",
                "yes" if a.is_enabled else "no",
                f"{a.trading_state} {a.state_reason}".strip(),
            )
            for a in list_accounts(session, home.actor)
        ]
    headings = ("ACCOUNT", "BROKER", "MODE", "EGRESS", "IP GROUP", "CREDENTIALS", "ENABLED", "TRADING")
    print_table(headings, rows, empty="No accounts yet; add one: openbell accounts add USER/ACCOUNT")


@commands.command()
def set_credentials(
    account: Account,
    is_from_stdin: Annotated[
        bool, typer.Option("--stdin", help="Read lines name=value from standard input.")
    ] = False,
) -> None:
    """Store what a login needs, encrypted; asks for each field without showing it."""
    with opened() as home:
        with home.database.begin() as session:
            broker = home.account(session, account).broker
        fields = read_fields(credential_fields(broker), is_from_stdin=is_from_stdin)
        vault = home.vault()
        with home.database.begin() as session:
            store_credentials(session, vault, home.actor, home.account(session, account), fields=fields)
    say(f"Stored the credentials of {account}, encrypted.")


@commands.command()
def live(
    account: Account,
    reason: Reason,
    confirm: Annotated[
        str | None, typer.Option(help='The words "LIVE <account name>"; asked for when left out.')
    ] = None,
) -> None:
    """Send the account's orders to the live broker from now on."""
    with opened() as home, home.database.begin() as session:
        found = home.account(session, account)
        words = confirm
        if words is None:
            words = typer.prompt(f"Orders will cost real money. Type {live_confirmation(found)!r} to go live")
        go_live(
            session,
            home.actor,
            found.account_id,
            confirmation=words,
            is_live_allowed=home.settings.is_live_trading_allowed,
            reason=reason,
        )
    say(f"{account} is LIVE.")


@commands.command()
def paper(account: Account, reason: Reason) -> None:
    """Keep the account's orders from the live broker from now on; it must be flat."""
    with opened() as home, home.database.begin() as session:
        go_paper(session, home.actor, home.account(session, account).account_id, reason=reason)
    say(f"{account} is on paper.")


@commands.command()
def egress(
    account: Account,
    address: Annotated[str, typer.Argument(help='Source address of this machine; "" is the default route.')],
    reason: Reason,
    ip_group: Annotated[str | None, typer.Option(help="Family that may share the address.")] = None,
    allows_shared_egress: Annotated[
        bool, typer.Option("--share-with-strangers", help="You answer for other people on this address.")
    ] = False,
) -> None:
    """Let the account leave through another source address; it must be flat, and logs in anew."""
    with opened() as home, home.database.begin() as session:
        place_on_egress(
            session,
            home.actor,
            home.account(session, account).account_id,
            egress=address,
            ip_group=ip_group,
            allows_shared_egress=allows_shared_egress,
            reason=reason,
        )
    say(f"{account} leaves through {address or 'the default route'}.")


@commands.command()
def settings(
    account: Account,
    reason: Reason,
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Repeatable: capital, brokerage, maker_rate, taker_rate, fee_discount, commission, "
            "option_margin, leverage; an empty value takes one back.",
        ),
    ] = None,
) -> None:
    """Say what the account has and pays; it counts from the next entry on."""
    changes = {name: value or None for name, value in read_pairs(values).items()}
    with opened() as home, home.database.begin() as session:
        found = home.account(session, account)
        now = change_settings(session, home.actor, found.account_id, changes, reason=reason)
    words = " ".join(f"{name}={value}" for name, value in sorted(now.items()))
    say(f"{account}: {words or 'no settings'}.")


@commands.command()
def enable(account: Account, reason: Reason) -> None:
    """Take the account into the trading day."""
    with opened() as home, home.database.begin() as session:
        found = home.account(session, account)
        set_enabled(session, home.actor, found.account_id, is_enabled=True, reason=reason)
    say(f"Enabled {account}.")


@commands.command()
def disable(account: Account, reason: Reason) -> None:
    """Take the account out of the trading day; it must be flat."""
    with opened() as home, home.database.begin() as session:
        found = home.account(session, account)
        set_enabled(session, home.actor, found.account_id, is_enabled=False, reason=reason)
    say(f"Disabled {account}.")
