"""Keep credentials and broker sessions encrypted, and the keys that open them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.config import Settings
from app.db.credentials import (
    drop_broker_session,
    find_broker_session,
    find_credentials,
    has_ciphertexts,
    lock_ciphertexts_for_staff,
    put_broker_session,
    put_credentials,
)
from app.db.session import Database
from app.domain.accounts import BrokerAccount
from app.domain.entry_checks import parse_credentials
from app.domain.errors import ConfigError, NotFoundError
from app.domain.ports import BrokerSession, Credentials
from app.domain.users import Actor, require_admin, require_control
from app.infra.vault import KEY_FILE_NAME, KeyFile, Vault, new_key, parse_keys
from app.services.acts import record


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """Pair a restored broker session with its generation, which grows with every login."""

    generation: int
    broker_session: BrokerSession


def open_vault(settings: Settings, database: Database) -> Vault:
    """Return the vault of this installation; the first use ever makes a key file.

    Raises: ConfigError when the keys are missing or unusable. A key is never made while the database holds
        secrets, because it could not open them and would hide that the old one is lost.
    """
    vault = find_vault(settings)
    if vault is not None:
        return vault
    file = key_file(settings)
    with database.begin() as session:
        if has_ciphertexts(session):
            raise ConfigError(
                f"expected the secret keys that opened this database, found neither OPENBELL_SECRET_KEYS "
                f"nor {file.path}; restore one of them from your backup"
            )
    file.create()
    return Vault(file.read)


def find_vault(settings: Settings) -> Vault | None:
    """Return the vault when there are keys, else None. Raises ConfigError when they are unusable."""
    if settings.secret_keys is not None:
        keys = parse_keys(_split(settings.secret_keys.get_secret_value()), origin="OPENBELL_SECRET_KEYS")
        return Vault(lambda: keys)
    file = key_file(settings)
    if not file.exists():
        return None
    file.read()
    return Vault(file.read)


def key_file(settings: Settings) -> KeyFile:
    """Return the place of the key file."""
    return KeyFile(settings.home / KEY_FILE_NAME)


def store_credentials(
    session: Session, vault: Vault, actor: Actor, account: BrokerAccount, *, fields: Mapping[str, str]
) -> None:
    """Check, encrypt and keep what a login needs. Raises ForbiddenError, InvalidInputError."""
    require_control(actor, account.user_id)
    credentials = parse_credentials(account.broker, fields)
    put_credentials(session, account, vault.encrypt(_credentials_of(account), credentials.fields))
    record(session, actor, "account.credentials_set", subject=f"account {account.account_id}")


def load_credentials(session: Session, vault: Vault, account: BrokerAccount) -> Credentials:
    """Return what a login needs. Raises NotFoundError when nothing is stored, ConfigError without its key."""
    ciphertext = find_credentials(session, account)
    if ciphertext is None:
        raise NotFoundError(f"expected stored credentials for account {account.account_id}, got none")
    return Credentials(fields=vault.decrypt(_credentials_of(account), ciphertext))


def save_broker_session(
    session: Session, vault: Vault, account: BrokerAccount, broker_session: BrokerSession
) -> int:
    """Encrypt and keep an open broker session for the other processes; return its generation."""
    return put_broker_session(
        session,
        account,
        expires_at=broker_session.expires_at,
        egress=broker_session.egress,
        ciphertext=vault.encrypt(_session_of(account), {"secret": broker_session.secret}),
    )


def load_broker_session(
    session: Session, vault: Vault, account: BrokerAccount, *, now: datetime
) -> OpenSession | None:
    """Return the broker session that is still good at `now`, or None when somebody must log in."""
    stored = find_broker_session(session, account)
    if stored is None or stored.expires_at <= now:
        return None
    secret = vault.decrypt(_session_of(account), stored.ciphertext)["secret"]
    return OpenSession(
        generation=stored.generation,
        broker_session=BrokerSession(
            broker=account.broker, expires_at=stored.expires_at, egress=stored.egress, secret=secret
        ),
    )


def end_broker_session(session: Session, account: BrokerAccount) -> None:
    """Forget an account's broker session, so that the next use logs in."""
    drop_broker_session(session, account)


def rotate_keys(settings: Settings, database: Database, actor: Actor) -> int:
    """Close every stored secret with the newest key and return how many there were.

    With OPENBELL_SECRET_KEYS the operator puts the new key first and restarts before this; with a key file
    a new key is made here. The file keeps the previous key, because another process may just be writing
    with it; whatever dies in between, the file holds every key that is needed.

    Raises: ForbiddenError; ConfigError when a stored secret opens with no key.
    """
    require_admin(actor)
    vault = open_vault(settings, database)
    file = key_file(settings)
    if settings.secret_keys is not None:
        return _renew_all(database, vault, actor)
    new, old = new_key(), file.lines()
    file.replace([new, *old])
    count = _renew_all(database, vault, actor)
    file.replace([new, old[0]])
    return count


def _renew_all(database: Database, vault: Vault, actor: Actor) -> int:
    with database.begin() as session:
        rows = lock_ciphertexts_for_staff(session)
        for row in rows:
            row.ciphertext = vault.renew(row.ciphertext)
        record(session, actor, "keys.rotated", subject="secret keys", count=len(rows))
    return len(rows)


def _split(keys: str) -> list[str]:
    return [key.strip() for key in keys.split(",") if key.strip()]


def _credentials_of(account: BrokerAccount) -> str:
    return f"credentials:{account.account_id}"


def _session_of(account: BrokerAccount) -> str:
    return f"broker_session:{account.account_id}"
