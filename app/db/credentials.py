"""Read and write encrypted credentials and broker sessions, and spend TOTP windows.

Only ciphertexts pass through here; `app.services.credentials` holds the other half. Callers prove that
they may touch an account by handing in the account, which they read scoped by its user.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import BrokerSessionRow, CredentialRow, TotpUseRow
from app.domain.accounts import BrokerAccount
from app.domain.ids import AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """Hold a stored broker session; `generation` grows with every login of the account."""

    generation: int
    expires_at: datetime
    egress: str
    ciphertext: bytes


def put_credentials(session: Session, account: BrokerAccount, ciphertext: bytes) -> None:
    """Store the encrypted credentials of an account, replacing older ones."""
    values = insert(CredentialRow).values(account_id=account.account_id, ciphertext=ciphertext)
    session.execute(
        values.on_conflict_do_update(
            index_elements=["account_id"],
            set_={"ciphertext": ciphertext, "updated_at": func.clock_timestamp()},
        )
    )


def find_credentials(session: Session, account: BrokerAccount) -> bytes | None:
    """Return the encrypted credentials of an account, or None."""
    return session.scalar(
        select(CredentialRow.ciphertext).where(CredentialRow.account_id == account.account_id)
    )


def list_accounts_with_credentials_for_staff(session: Session) -> frozenset[AccountId]:
    """Return the accounts that have credentials."""
    return frozenset(AccountId(i) for i in session.scalars(select(CredentialRow.account_id)))


def put_broker_session(
    session: Session, account: BrokerAccount, *, expires_at: datetime, egress: str, ciphertext: bytes
) -> int:
    """Store the encrypted broker session of an account and return its generation."""
    values = {"expires_at": expires_at, "egress": egress, "ciphertext": ciphertext}
    statement = insert(BrokerSessionRow).values(account_id=account.account_id, generation=1, **values)
    return session.scalars(
        statement.on_conflict_do_update(
            index_elements=["account_id"],
            set_={
                **values,
                "generation": BrokerSessionRow.generation + 1,
                "updated_at": func.clock_timestamp(),
            },
        ).returning(BrokerSessionRow.generation)
    ).one()


def find_broker_session(session: Session, account: BrokerAccount) -> StoredSession | None:
    """Return the stored broker session of an account, expired or not, or None."""
    row = session.scalars(
        select(BrokerSessionRow)
        .where(BrokerSessionRow.account_id == account.account_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        return None
    return StoredSession(
        generation=row.generation, expires_at=row.expires_at, egress=row.egress, ciphertext=row.ciphertext
    )


def drop_broker_session(session: Session, account: BrokerAccount) -> None:
    """Forget the broker session of an account, so that the next use logs in."""
    session.execute(delete(BrokerSessionRow).where(BrokerSessionRow.account_id == account.account_id))


def expire_broker_session(session: Session, account_id: AccountId, *, generation: int, now: datetime) -> bool:
    """Mark the session that the broker refused as over; say whether it was the account's newest and open.

    The generation stays, so that the next one is newer.
    """
    expired = session.scalar(
        update(BrokerSessionRow)
        .where(
            BrokerSessionRow.account_id == account_id,
            BrokerSessionRow.generation == generation,
            BrokerSessionRow.expires_at > now,
        )
        .values(expires_at=now)
        .returning(BrokerSessionRow.account_id)
    )
    return expired is not None


def spend_totp_window(session: Session, account_id: AccountId, window: int) -> bool:
    """Say whether this TOTP window is the caller's to use; true once only per window, and never backwards.

    Atomic: a second caller waits for the first one's commit and then gets False.
    """
    statement = insert(TotpUseRow).values(account_id=account_id, window=window)
    spent = session.scalars(
        statement.on_conflict_do_update(
            index_elements=["account_id"], set_={"window": window}, where=TotpUseRow.window < window
        ).returning(TotpUseRow.window)
    ).one_or_none()
    return spent is not None


def has_ciphertexts(session: Session) -> bool:
    """Say whether anything is stored that needs the secret keys."""
    return bool(session.scalar(select(exists(select(CredentialRow)) | exists(select(BrokerSessionRow)))))


def lock_ciphertexts_for_staff(session: Session) -> list[CredentialRow | BrokerSessionRow]:
    """Return every row that holds a secret, locked until commit, for a change of keys."""
    credentials = session.scalars(select(CredentialRow).order_by(CredentialRow.account_id).with_for_update())
    sessions = session.scalars(
        select(BrokerSessionRow).order_by(BrokerSessionRow.account_id).with_for_update()
    )
    return [*credentials, *sessions]
