"""Add users, accounts, credentials and deployments from a file: all of them, or nothing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy.orm import Session

from app.db.accounts import find_account
from app.db.session import Database
from app.db.users import find_user
from app.domain.accounts import BrokerAccount
from app.domain.entry_checks import credential_faults
from app.domain.errors import ConflictError, InvalidInputError
from app.domain.position_sizing import Sizing
from app.domain.risk.limits import RiskLimits
from app.domain.users import Actor
from app.infra.vault import Vault
from app.services.account_settings import change_settings
from app.services.accounts import EgressTakenError, create_account
from app.services.credentials import store_credentials
from app.services.deployments import NewDeployment, StrategyBook, create_deployment
from app.services.import_file import AccountEntry, DeploymentEntry, ImportFile, Place
from app.services.users import create_user


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """Hold what an import needs besides the file."""

    database: Database
    vault: Vault
    actor: Actor
    book: StrategyBook


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCounts:
    """Tell what was added."""

    users: int
    accounts: int
    credentials: int
    deployments: int


@dataclass(slots=True)
class _Run:
    session: Session
    importer: Importer
    file: ImportFile
    faults: list[str] = field(default_factory=list)

    @contextmanager
    def noting(self, place: Place, key: str) -> Iterator[None]:
        try:
            yield
        except EgressTakenError as e:
            self.note((*place, "egress"), str(e))
        except ConflictError as e:
            self.note((*place, "name"), str(e))
        except InvalidInputError as e:
            self.note((*place, key), str(e))

    def note(self, place: Place, sentence: str) -> None:
        self.faults.extend(self.file.fault(place, line) for line in sentence.splitlines())


def import_file(importer: Importer, file: ImportFile, *, is_dry_run: bool) -> ImportCounts:
    """Add everything that a file names, in one transaction; a dry run does the same and rolls back.

    Raises: InvalidInputError with one line per fault, all of them at once; then nothing was added.
    """
    with importer.database.begin() as session:
        run = _Run(session, importer, file)
        _add_users(run)
        _add_accounts(run)
        _add_deployments(run)
        if run.faults:
            raise InvalidInputError("\n".join(run.faults))
        if is_dry_run:
            session.rollback()
    entries = file.entries
    return ImportCounts(
        users=len(entries.users),
        accounts=len(entries.accounts),
        credentials=sum(entry.credentials is not None for entry in entries.accounts),
        deployments=len(entries.deployments),
    )


def _add_users(run: _Run) -> None:
    for index, entry in enumerate(run.file.entries.users):
        password = None if entry.password is None else entry.password.get_secret_value()
        with run.noting(("users", index), "name"):
            create_user(run.session, run.importer.actor, name=entry.name, role=entry.role, password=password)


def _add_accounts(run: _Run) -> None:
    for index, entry in enumerate(run.file.entries.accounts):
        place: Place = ("accounts", index)
        user = find_user(run.session, entry.user)
        if user is None:
            run.note((*place, "user"), f"expected a user of this file or an existing one, got {entry.user!r}")
            continue
        with run.noting(place, "name"):
            account = create_account(
                run.session,
                run.importer.actor,
                user.user_id,
                name=entry.name,
                broker=entry.broker,
                egress=entry.egress,
                ip_group=entry.ip_group,
            )
            _add_settings(run, place, account, entry)
            _add_credentials(run, place, account, entry)


def _add_settings(run: _Run, place: Place, account: BrokerAccount, entry: AccountEntry) -> None:
    if not entry.settings:
        return
    try:
        change_settings(
            run.session,
            run.importer.actor,
            account.account_id,
            _exact(entry.settings),
            reason="import",
        )
    except InvalidInputError as e:
        run.note((*place, "settings"), str(e))


def _exact(values: Mapping[str, object]) -> dict[str, object]:
    """Return values that JSON keeps exactly: decimals as text."""
    return {name: str(v) if isinstance(v, Decimal) else v for name, v in values.items()}


def _add_credentials(run: _Run, place: Place, account: BrokerAccount, entry: AccountEntry) -> None:
    if entry.credentials is None:
        return
    fields = {name: secret.get_secret_value() for name, secret in entry.credentials.items()}
    faults = credential_faults(entry.broker, fields)
    for name, sentence in faults.items():
        run.note((*place, "credentials", name), sentence)
    if not faults:
        store_credentials(run.session, run.importer.vault, run.importer.actor, account, fields=fields)


def _add_deployments(run: _Run) -> None:
    for index, entry in enumerate(run.file.entries.deployments):
        place: Place = ("deployments", index)
        user = find_user(run.session, entry.user)
        if user is None:
            run.note((*place, "user"), f"expected a user of this file or an existing one, got {entry.user!r}")
            continue
        account = find_account(run.session, user.user_id, entry.account)
        if account is None:
            run.note((*place, "account"), f"expected an account of {entry.user}, got {entry.account!r}")
            continue
        _add_deployment(run, place, account, entry)


def _add_deployment(run: _Run, place: Place, account: BrokerAccount, entry: DeploymentEntry) -> None:
    book = run.importer.book
    if entry.strategy not in book.names():
        sentence = f"expected one of {', '.join(book.names())}, got {entry.strategy!r}"
        run.note((*place, "strategy"), sentence)
        return
    wish = NewDeployment(
        name=entry.name,
        strategy=entry.strategy,
        params=entry.params,
        limits=_exact(entry.limits),
        sizing=_exact(entry.sizing),
    )
    for key, check in (
        ("limits", lambda: RiskLimits.from_mapping(wish.limits)),
        ("sizing", lambda: Sizing.from_mapping(wish.sizing)),
    ):
        try:
            check()
        except InvalidInputError as e:
            run.note((*place, key), str(e))
            return
    with run.noting(place, "params"):
        create_deployment(run.session, run.importer.actor, account, wish, book=book)
