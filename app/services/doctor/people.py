"""Examine what was set up: secrets, addresses, strategies."""

import socket
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from sqlalchemy.orm import Session

from app.config import Settings
from app.db.accounts import list_enabled_accounts_for_staff
from app.db.credentials import has_ciphertexts, list_accounts_with_credentials_for_staff
from app.db.deployments import list_deployments_for_staff
from app.db.session import Database
from app.domain.accounts import AccountMode, BrokerAccount, may_share_egress
from app.domain.deployments import DeploymentState
from app.domain.entry_checks import credential_fields
from app.domain.errors import ConfigError, InvalidInputError
from app.infra.vault import Vault
from app.services.credentials import find_vault, key_file, load_credentials
from app.services.deployments import NewDeployment, StrategyBook, check_deployment
from app.services.doctor.configuration import examine_live_switch
from app.services.doctor.findings import Finding, error, fine, warning

_KEYS_REMEDY = "restore OPENBELL_SECRET_KEYS or the key file from your backup, or store the credentials again"


def examine_keys(settings: Settings, database: Database | None) -> tuple[Vault | None, Finding]:
    """Look whether the secret keys are there and usable; makes none. Returns the vault when they are."""
    code = "secret_keys"
    try:
        vault = find_vault(settings)
    except ConfigError as e:
        return None, error(code, str(e), "correct it; openbell keys new prints a key of the right form")
    if vault is not None:
        where = "the key file" if settings.secret_keys is None else "OPENBELL_SECRET_KEYS"
        return vault, fine(code, f"usable, from {where}")
    missing = f"found neither OPENBELL_SECRET_KEYS nor {key_file(settings).path}"
    if database is None:
        return None, _judge_missing_keys(settings, missing)
    with database.begin() as session:
        if has_ciphertexts(session):
            return None, error(code, f"{missing}, but the database holds secrets", _KEYS_REMEDY)
    return None, fine(code, "none yet; the first stored secret makes a key file")


def _judge_missing_keys(settings: Settings, missing: str) -> Finding:
    # An embedded database is at rest more often than it is lost; a configured one should answer.
    message = f"{missing}, and the database cannot be asked whether it holds secrets"
    if settings.database_url is None:
        return warning("secret_keys", message, "start everything (openbell up) and ask again")
    return error("secret_keys", message, _KEYS_REMEDY)


def examine_people(
    settings: Settings, database: Database, vault: Vault | None, *, load_book: Callable[[], StrategyBook]
) -> Iterator[Finding]:
    """Examine accounts, their credentials and addresses, and the strategies of all deployments."""
    with database.begin() as session:
        accounts = list_enabled_accounts_for_staff(session)
        live = sum(account.mode is AccountMode.LIVE for account in accounts)
        yield examine_live_switch(settings, live_accounts=live)
        yield from _examine_credentials(session, vault, accounts)
        yield from _examine_egress(accounts)
        yield from _examine_strategies(session, load_book)


def _examine_credentials(
    session: Session, vault: Vault | None, accounts: Sequence[BrokerAccount]
) -> Iterator[Finding]:
    code = "credentials"
    stored = list_accounts_with_credentials_for_staff(session)
    faults = 0
    for account in accounts:
        place = f"account {account.account_id} ({account.name})"
        if credential_fields(account.broker) and account.account_id not in stored:
            faults += 1
            remedy = "openbell accounts set-credentials, or openbell accounts disable"
            yield warning(code, f"{place} has none and cannot log in", remedy)
        elif vault is not None and account.account_id in stored and not _opens(session, vault, account):
            faults += 1
            yield error(code, f"no secret key opens those of {place}", _KEYS_REMEDY)
    if not faults:
        yield fine(code, f"{len(accounts)} enabled account(s) have what they need")


def _opens(session: Session, vault: Vault, account: BrokerAccount) -> bool:
    try:
        load_credentials(session, vault, account)
    except ConfigError:
        return False
    return True


def _examine_egress(accounts: Sequence[BrokerAccount]) -> Iterator[Finding]:
    code = "egress"
    faults = 0
    for address in sorted({account.egress for account in accounts if account.egress}):
        reason = _why_not_bindable(address)
        if reason is not None:
            faults += 1
            yield error(
                code,
                f"nothing can leave through {address}: {reason}",
                "give this machine the address, or choose another: openbell accounts egress",
            )
    for one, other in combinations(accounts, 2):
        if not may_share_egress(one, other):
            faults += 1
            yield error(
                code,
                f"accounts {one.account_id} ({one.name}) and {other.account_id} ({other.name}) of different "
                f"people leave through {one.egress or 'the default route'}",
                "give each an address of its own, or one --ip-group if they are a family: "
                "openbell accounts egress",
            )
    if not faults:
        yield fine(code, "every account leaves through an address it may use")


def _why_not_bindable(address: str) -> str | None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as e:
            return e.strerror or str(e)
    return None


def _examine_strategies(session: Session, load_book: Callable[[], StrategyBook]) -> Iterator[Finding]:
    code = "strategies"
    try:
        book = load_book()
    except ConfigError as e:
        yield error(code, str(e), "correct OPENBELL_STRATEGY_MODULES, or install the module")
        return
    faults = 0
    for deployment in list_deployments_for_staff(session):
        wish = NewDeployment(
            name=deployment.name,
            strategy=deployment.strategy,
            params=deployment.params,
            limits=deployment.limits,
            sizing=deployment.sizing,
        )
        try:
            check_deployment(wish, book)
        except InvalidInputError as e:
            faults += 1
            place = f"deployment {deployment.deployment_id} ({deployment.name})"
            judge = error if deployment.state is DeploymentState.ACTIVE else warning
            yield judge(code, f"{place}: {e}", "pause it and deploy it again with what is expected")
    if not faults:
        yield fine(code, f"known: {', '.join(book.names())}; every deployment fits")
