"""Commands on limits: what is in force and who set it, set, history, and what a set would deny."""

from collections.abc import Mapping
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from app.cli.installation import Installation, opened
from app.cli.tables import print_table, say
from app.db.limits import LimitVersion
from app.domain.errors import InvalidInputError
from app.domain.risk.scopes import LimitScope, ScopeKey, scope_key
from app.infra.clock import open_clock
from app.services.families import get_family_by_name
from app.services.limits import (
    LimitInForce,
    list_limit_sets,
    set_limits,
    show_account_limits,
    show_deployment_limits,
    show_limit_history,
    try_limits,
)
from app.services.users import get_user_by_name

commands = typer.Typer(help="Limits on entries; the strictest of all scopes binds.", no_args_is_help=True)

_FORM = "tenant, broker:CODE, family:FAMILY, user:USER, account:USER/ACCOUNT or deployment:USER/ACCOUNT/NAME"
Whom = Annotated[str, typer.Argument(metavar="SCOPE", help=f"Whom the set covers: {_FORM}.")]
Changes = Annotated[
    list[str] | None, typer.Argument(metavar="NAME=VALUE...", help="What shall change in the scope's set.")
]
Drop = Annotated[
    list[str] | None, typer.Option("--drop", metavar="NAME", help="No longer limit this here. Repeatable.")
]


@commands.command("list")
def list_() -> None:
    """List the newest set of every scope that has one."""
    with opened() as home, home.database.begin() as session:
        sets = list_limit_sets(session, home.actor)
    rows = [(f"{v.scope} {v.target}".strip(), _words(v.values), v.actor, _when(v), v.reason) for v in sets]
    headings = ("SCOPE", "LIMITS", "WHO", "WHEN (UTC)", "WHY")
    print_table(headings, rows, empty="No scope sets limits; the defaults and each deployment's own bind.")


@commands.command()
def show(
    path: Annotated[str, typer.Argument(metavar="USER/ACCOUNT[/NAME]", help="An account or a deployment.")],
) -> None:
    """Show what binds an account or deployment, and who set it when and why."""
    with opened() as home, home.database.begin() as session:
        if path.count("/") == 1:
            limits = show_account_limits(session, home.actor, home.account(session, path).account_id)
        else:
            deployment = home.deployment(session, path)
            limits = show_deployment_limits(session, home.actor, deployment.deployment_id)
    headings = ("LIMIT", "VALUE", "SET BY SCOPE", "WHO", "WHEN (UTC)", "WHY")
    print_table(headings, [_row(limit) for limit in limits], empty="Nothing is limited.")


@commands.command("set")
def set_(
    whom: Whom,
    changes: Changes = None,
    *,
    drop: Drop = None,
    reason: Annotated[str, typer.Option(help="Why; kept in the audit log.")],
) -> None:
    """Change the limits of a scope; they bind the next order."""
    with opened() as home, home.database.begin() as session:
        key = _key(home, session, whom)
        current, version = _current(home, session, key)
        new = set_limits(
            session,
            home.actor,
            key,
            _changed(current, changes, drop),
            expected_version=version,
            reason=reason,
            now=open_clock(home.settings.clock_file).now(),
        )
    say(f"Limits of {whom}, version {new.version}: {_words(new.values) or 'none'}.")


@commands.command()
def history(whom: Whom) -> None:
    """Show every version of a scope's own set, newest first."""
    with opened() as home, home.database.begin() as session:
        versions = show_limit_history(session, home.actor, _key(home, session, whom))
    rows = [
        (v.version, _words(v.values), v.actor, f"{v.ts_init:%Y-%m-%d %H:%M:%S}", v.reason) for v in versions
    ]
    print_table(("VERSION", "LIMITS", "WHO", "WHEN (UTC)", "WHY"), rows, empty="This scope sets no limits.")


@commands.command("try")
def try_(whom: Whom, changes: Changes = None, *, drop: Drop = None) -> None:
    """Show which of today's entries a change would have denied; changes nothing."""
    with opened() as home, home.database.begin() as session:
        key = _key(home, session, whom)
        current, _ = _current(home, session, key)
        now = open_clock(home.settings.clock_file).now()
        trial = try_limits(session, home.actor, key, _changed(current, changes, drop), now=now)
    rows = [
        (f"{past.at:%H:%M:%S}", past.intent.client_order_id, past.code.value, past.message)
        for past in trial.denied
    ]
    print_table(("AT (UTC)", "ORDER", "CODE", "WHY"), rows, empty="It would have denied nothing.")
    say(f"{len(rows)} of {trial.judged} entries of today; {trial.unjudged} could not be judged.")


def _key(home: Installation, session: Session, whom: str) -> ScopeKey:
    word, _, name = whom.partition(":")
    match word:
        case "tenant" | "broker":
            return scope_key(LimitScope(word.upper()), name)
        case "family":
            return scope_key(LimitScope.FAMILY, str(get_family_by_name(session, home.actor, name).family_id))
        case "user":
            return scope_key(LimitScope.USER, str(get_user_by_name(session, home.actor, name).user_id))
        case "account":
            return scope_key(LimitScope.ACCOUNT, str(home.account(session, name).account_id))
        case "deployment":
            return scope_key(LimitScope.DEPLOYMENT, str(home.deployment(session, name).deployment_id))
        case _:
            raise InvalidInputError(f"expected {_FORM}, got {whom!r}")


def _current(home: Installation, session: Session, key: ScopeKey) -> tuple[Mapping[str, object], int]:
    versions = show_limit_history(session, home.actor, key)
    return (versions[0].values, versions[0].version) if versions else ({}, 0)


def _changed(
    current: Mapping[str, object], changes: list[str] | None, drop: list[str] | None
) -> dict[str, object]:
    gone = sorted(set(drop or ()) - current.keys())
    if gone:
        raise InvalidInputError(f"--drop: expected names that this scope limits, got {', '.join(gone)}")
    changed = {name: value for name, value in current.items() if name not in (drop or ())}
    for change in changes or ():
        name, separator, value = change.partition("=")
        if not separator:
            raise InvalidInputError(f"expected NAME=VALUE, got {change!r}")
        changed[name] = value
    return changed


def _row(limit: LimitInForce) -> tuple[object, ...]:
    version = limit.version
    if version is None:
        return (limit.name, _word(limit.value), limit.origin, None, None, None)
    return (limit.name, _word(limit.value), limit.origin, version.actor, _when(version), version.reason)


def _when(version: LimitVersion) -> str:
    return f"{version.ts_init:%Y-%m-%d %H:%M:%S}"


def _words(values: Mapping[str, object]) -> str:
    return " ".join(f"{name}={_word(value)}" for name, value in sorted(values.items()))


def _word(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
